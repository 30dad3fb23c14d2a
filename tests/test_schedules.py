"""Learning-rate schedules against the formulas, and their shape over a whole training."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from sentences import refused
from tolerance import assert_close

from fastmlp import schedules

PER_EPOCH, EPOCHS = 7, 5
TOTAL = PER_EPOCH * EPOCHS

ALL = {
    "constant": schedules.Constant(0.3),
    "step": schedules.Step(0.3, every=2, factor=0.5),
    "exponential": schedules.Exponential(0.3, decay=0.9),
    "cosine": schedules.Cosine(0.3, final=0.01),
    "one cycle": schedules.OneCycle(0.3),
    "warm-up": schedules.WarmUp(9, schedules.Cosine(0.3)),
    "coslog4": schedules.CosLog4(0.3),
    "flat cos": schedules.FlatCos(0.3),
}


def rates(schedule, first=0, n=TOTAL, total=TOTAL):
    return schedule.rates(first, n, PER_EPOCH, total)


def test_constant():
    np.testing.assert_array_equal(rates(schedules.Constant(0.25)), np.full(TOTAL, 0.25))


@given(st.floats(1e-6, 10), st.integers(1, 6), st.floats(0.01, 1.0))
def test_step(lr, every, factor):
    expected = [reference.step_rate(lr, every, factor, s // PER_EPOCH) for s in range(TOTAL)]

    assert_close(rates(schedules.Step(lr, every, factor)), expected)


@given(st.floats(1e-6, 10), st.floats(0.01, 1.0))
def test_exponential(lr, decay):
    expected = [reference.exponential_rate(lr, decay, s // PER_EPOCH) for s in range(TOTAL)]

    assert_close(rates(schedules.Exponential(lr, decay)), expected)


@given(st.floats(1e-6, 10), st.floats(0.0, 1e-3))
def test_cosine(lr, final):
    expected = [reference.cosine_rate(lr, final, s, TOTAL) for s in range(TOTAL)]

    assert_close(rates(schedules.Cosine(lr, final)), expected)


def test_cosine_of_a_given_length_stays_at_its_end():
    found = rates(schedules.Cosine(0.3, 0.01, epochs=2))

    assert_close(found[: 2 * PER_EPOCH], rates(schedules.Cosine(0.3, 0.01), 0, 14, total=14))
    assert_close(found[2 * PER_EPOCH :], np.full(TOTAL - 14, 0.01))


@given(st.floats(1e-6, 10))
def test_coslog4(lr):
    expected = [reference.coslog4_rate(lr, s, TOTAL) for s in range(TOTAL)]

    assert_close(rates(schedules.CosLog4(lr)), expected, scale=lr)


@given(st.floats(1e-6, 10))
def test_flat_cos(lr):
    expected = [reference.flat_cos_rate(lr, s, TOTAL) for s in range(TOTAL)]

    assert_close(rates(schedules.FlatCos(lr)), expected, scale=lr)


def test_coslog4_is_highest_four_times_and_0_between():
    found = rates(schedules.CosLog4(2.0), n=1500, total=1500)

    assert_close(found[[0, 100, 300, 700]], np.zeros(4), scale=2.0)
    inside = found[1:-1]
    assert ((inside > found[:-2]) & (inside >= found[2:])).sum() == 4


def test_one_cycle_rises_to_its_maximum_and_falls_far_below_its_start():
    found = rates(schedules.OneCycle(0.5, rise=0.3), n=100, total=100)

    top = int(found.argmax())
    assert top in (29, 30)
    assert_close(found[0], 0.5 / 25)
    assert_close(found[-1], 0.5 / 25 / 1e4)
    assert found[top] > 0.499
    assert (np.diff(found[: top + 1]) > 0).all()
    assert (np.diff(found[top:]) < 0).all()


def test_warm_up_scales_the_first_steps_of_another_schedule():
    plain = rates(schedules.Exponential(0.3, 0.9))

    found = rates(schedules.WarmUp(4, schedules.Exponential(0.3, 0.9)))

    assert_close(found[:4], plain[:4] * np.array([0.25, 0.5, 0.75, 1.0]))
    np.testing.assert_array_equal(found[4:], plain[4:])


def test_warm_up_takes_a_plain_rate():
    assert_close(rates(schedules.WarmUp(2, 0.1), n=3), [0.05, 0.1, 0.1])


@pytest.mark.parametrize("name", ALL)
@given(st.integers(0, TOTAL), st.integers(0, TOTAL))
def test_splitting_the_steps_gives_the_same_rates(name, a, b):
    first, end = sorted((a, b))

    part = rates(ALL[name], first, end - first)

    np.testing.assert_array_equal(part, rates(ALL[name])[first:end])


@pytest.mark.parametrize("name", ALL)
def test_rates_are_finite_and_not_negative(name):
    for total, per_epoch in [(1, 1), (2, 1), (3, 3), (1000, 10)]:
        found = ALL[name].rates(0, total, per_epoch, total)

        assert found.dtype == np.float64
        assert found.shape == (total,)
        assert np.isfinite(found).all()
        assert (found >= 0).all()


def test_a_users_schedule_is_anything_with_rates():
    class Mine:
        def rates(self, first_step, n_steps, steps_per_epoch, total_steps):
            return np.full(n_steps, 0.1)

    mine = Mine()

    assert schedules.as_schedule(mine) is mine


@pytest.mark.parametrize("wrong", ["fast", None, -0.1, float("nan"), float("inf"), True])
def test_an_invalid_rate_is_refused(wrong):
    with refused((TypeError, ValueError), "lr"):
        schedules.as_schedule(wrong)


@pytest.mark.parametrize("schedule", ALL.values(), ids=ALL)
@pytest.mark.parametrize("parts", [(1, 4), (2, 2, 1)])
def test_a_whole_training_in_parts_has_the_rates_of_one_call(schedule, parts):
    whole, found, done = schedules.Whole(EPOCHS, schedule), [], 0
    for epochs in parts:
        n = epochs * PER_EPOCH
        found.append(rates(whole, done, n, total=done + n))
        done += n

    np.testing.assert_array_equal(np.concatenate(found), rates(schedule))


def test_a_whole_of_a_built_in_schedule_is_built_in():
    assert schedules.is_built_in(schedules.Whole(3, ALL["warm-up"]))
    assert not schedules.is_built_in(schedules.Whole(3, type("Own", (schedules.Schedule,), {})()))
