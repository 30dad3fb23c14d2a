"""Planning the training of a network for a table within a time limit, at a pace that is made up."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")

from fastmlp.engine.interrupt import Interrupt
from fastmlp.tabular import affordable, methods
from fastmlp.tabular.affordable import FEW
from fastmlp.tabular.encoder import Encoded
from fastmlp.tabular.metrics import baseline, metric_of
from fastmlp.tabular.pace import Pace
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part
from fastmlp.tabular.trainer import Trainer
from fastmlp.tabular.training import Member, TimeFrame, train_member
from fastmlp.training.history import History

RMSE = metric_of("rmse", classes=False)
HOUR = 3600.0


def rows_of(n, seed=0):
    numbers = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    inputs = Encoded(numbers, np.empty((n, 0), np.int32), ())
    return Rows(inputs, numbers.sum(axis=1, dtype=np.float64))


def trained(monkeypatch, n_rows, epoch_hours, hours, latest=None):
    """Train a network as if an epoch took so many hours, and so many were left."""
    pace, measured = Pace(epoch_hours * HOUR, 0.0, 0.0, 2.5), Pace.measured
    monkeypatch.setattr(Pace, "measured", lambda *given: (measured(*given), pace)[1])
    now = time.monotonic()
    frame = TimeFrame(now + hours * HOUR, now + (latest or hours) * HOUR, least=0.0)
    return train_member(
        "realmlp-td-s", rows_of(n_rows), rows_of(40, 1),
        n_classes=0, metric=RMSE, seed=0, n_threads=1, time_frame=frame,
    )  # fmt: skip


def test_as_many_epochs_are_planned_as_there_is_time_for(monkeypatch):
    member = trained(monkeypatch, 300, epoch_hours=1.0, hours=10.5)

    assert len(member.history) == 9
    assert member.history.stopped is None
    assert member.history.compile_seconds > 2


def test_planning_has_no_influence_on_the_bits(monkeypatch):
    rows, val = rows_of(60), rows_of(40, 1)
    recipe = methods.prepare("realmlp-td-s", rows.inputs, rows.y, seed=0)
    recipe.train(rows.inputs, rows.y, val.inputs, val.y, epochs=9)

    member = trained(monkeypatch, 60, epoch_hours=1.0, hours=10.5)

    np.testing.assert_array_equal(member.predicted, recipe.predict(val.inputs))


def test_some_of_the_rows_are_used_if_there_is_no_time_for_an_epoch(monkeypatch):
    member = trained(monkeypatch, 3000, epoch_hours=2.0, hours=1.0)

    assert len(member.history) == 1
    assert len(member.history.steps) == math.floor(3000 * 0.9 / 2 / 256)


@pytest.mark.parametrize("method", ["realmlp-td", "tabm-mini", "pack"])
@pytest.mark.parametrize("n_classes", [0, 3])
def test_without_time_the_model_is_at_least_the_baseline(monkeypatch, method, n_classes):
    pace = Pace(HOUR, 0.0, 0.0, 0.0)
    monkeypatch.setattr(Pace, "measured", lambda *given: pace)
    rows, val = rows_of(600), rows_of(90, 1)
    if n_classes:
        rows, val = (replace(part, y=1 * (part.y > 0.5) + (part.y > 2)) for part in (rows, val))
    metric = metric_of("log_loss" if n_classes else "rmse", classes=n_classes > 0)
    frame = TimeFrame(time.monotonic(), time.monotonic(), least=0.0)

    member = train_member(
        method, rows, val,
        n_classes=n_classes, metric=metric, seed=0, n_threads=1, time_frame=frame,
    )  # fmt: skip

    usual = baseline(rows.y, n_classes or None)
    usual = np.broadcast_to(usual if n_classes else usual[0], member.predicted.shape)
    assert len(member.history.steps) == 1
    assert not metric.better(metric.score(val.y, usual, None), member.score)
    predicted = member.recipe.predict(val.inputs)
    np.testing.assert_allclose(predicted, member.predicted, rtol=1e-5, atol=1e-6)


def test_no_time_is_enough_for_one_step(monkeypatch):
    member = trained(monkeypatch, 3000, epoch_hours=2.0, hours=-1.0)

    assert len(member.history.steps) == 1


def test_a_network_may_take_longer_than_its_share_to_be_useful(monkeypatch):
    member = trained(monkeypatch, 300, epoch_hours=1.0, hours=5.0, latest=1000.0)

    assert len(member.history) == 32


def test_measuring_leaves_the_network_as_it_was():
    rows, val = rows_of(70), rows_of(20, 1)
    recipe = methods.prepare("pack", rows.inputs, rows.y, seed=1, number=1)
    before = recipe.model.theta.copy()

    pace = Pace.measured(recipe, rows, val, lambda rows, val: {"n_threads": 1, "callbacks": []})

    np.testing.assert_array_equal(recipe.model.theta, before)
    assert recipe.options["optimizer"].t == 0
    assert pace.steps > 0


@pytest.mark.parametrize(
    ("plan", "needed"),
    [
        ({}, 1),
        ({"n_cv": 4}, 4),
        ({"n_networks": 3}, 3),
        ({"n_networks": 3, "n_cv": 4}, 12),
        ({"method": "pack"}, 10),
        ({"method": "pack", "n_cv": 3}, 6),
        ({"method": "pack", "n_networks": 7}, 7),
    ],
)
def test_time_is_left_for_all_networks_that_are_needed(plan, needed):
    assert Plan(**{"method": "realmlp-td", "metric": RMSE} | plan).n_needed == needed


@pytest.mark.parametrize(
    ("left", "expected"), [(1000.0, 25_000), (60.0, 1500), (1.0, 512), (1e6, 30_000)]
)
def test_as_many_validation_rows_are_kept_as_there_is_time_to_predict(monkeypatch, left, expected):
    monkeypatch.setattr(affordable, "_seconds_per_row", lambda *given: 0.002)
    rows = rows_of(40_000)
    part = Part(np.arange(30_000, 40_000), np.arange(30_000), 0, seed=0)
    plan = Plan("tabm-mini", RMSE, deadline=time.monotonic() + left, n_threads=1)

    [kept], _, _ = affordable.affordable([part], rows, None, 0, plan)
    _, given, _ = affordable.affordable(
        [replace(part, val=None)], rows, rows.take(part.val), 0, plan
    )

    assert len(kept.val) == pytest.approx(expected, rel=0.01)
    assert len(given) == pytest.approx(expected, rel=0.01)
    assert np.isin(kept.val, part.val).all()
    assert len(np.unique(kept.val)) == len(kept.val)


@pytest.mark.parametrize(
    ("left", "n_train", "hurried"), [(1.0, 512, True), (20.0, 2000, True), (1e4, 20_000, False)]
)
def test_in_a_hurry_one_network_learns_from_some_of_the_rows(monkeypatch, left, n_train, hurried):
    monkeypatch.setattr(affordable, "_seconds_per_row", lambda *given: 0.002)
    train, val = np.arange(20_000), np.arange(20_000, 21_000)
    parts = [Part(train, val, 0, seed=seed) for seed in range(3)]
    plan = Plan("realmlp-td", RMSE, deadline=time.monotonic() + left, n_threads=2)

    fewer, _, alone = affordable.affordable(parts, rows_of(21_000), None, 0, plan)

    assert [len(part.train) for part in fewer] == pytest.approx([n_train] * 3, rel=0.01)
    assert alone == hurried


def test_networks_that_are_asked_for_share_the_time(monkeypatch):
    monkeypatch.setattr(affordable, "_seconds_per_row", lambda *given: 0.001)
    parts = [Part(np.arange(20_000), np.arange(20_000, 21_000), i, seed=i) for i in range(8)]
    plan = Plan("realmlp-td", RMSE, n_networks=8, deadline=time.monotonic() + 30, n_threads=2)

    fewer, _, hurried = affordable.affordable(parts, rows_of(21_000), None, 0, plan)

    assert len(fewer[0].train) == pytest.approx(1500, rel=0.01)
    assert not hurried


def test_the_pace_of_predicting_is_measured_for_many_validation_rows_only(monkeypatch):
    rows, deadline = rows_of(3 * FEW), time.monotonic() + HOUR
    few, many = np.arange(FEW), np.arange(2 * FEW)
    measured = []
    pace = affordable._seconds_per_row
    monkeypatch.setattr(
        affordable, "_seconds_per_row", lambda *given: measured.append(pace(*given)) or measured[-1]
    )

    for val, limit in ((few, deadline), (many, None), (many, deadline)):
        plan = Plan("realmlp-td-s", RMSE, deadline=limit, n_threads=1)
        [part], _, _ = affordable.affordable([Part(few, val, 0, seed=0)], rows, None, 0, plan)
        assert len(part.val) == len(val)

    assert len(measured) == 1
    assert measured[0] > 0


@pytest.mark.parametrize(("around", "begins"), [(10.0, True), (90.0, False)])
def test_the_next_network_begins_if_there_is_time_for_what_cannot_be_shortened(around, begins):
    plan = Plan("realmlp-td-s", RMSE, deadline=time.monotonic() + 60.0, n_threads=1)
    part = Part(np.arange(30), np.arange(30, 40), 0, seed=0)
    with Interrupt() as interrupt:
        trainer = Trainer(rows_of(40), None, 0, plan, interrupt)
        done = Member(None, np.zeros(10), 1.0, History(), seconds=100.0, around=around)

        assert trainer._has_time({0: done}, 1, part) == begins
