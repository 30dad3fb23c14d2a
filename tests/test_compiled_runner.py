"""A runner used for several epochs: what it reuses, and what it hands out."""

import numpy as np
from networks import blobs, every_layer

import fastmlp
from fastmlp import losses
from fastmlp.engine.compiled import CompiledRunner

D, H, C, BATCH = 6, 9, 3, 8
X, Y = blobs(40, D, C)
X = X.astype(np.float32)


def build():
    """Return a runner over X and Y in minibatches, and its model."""
    model, optimizer = every_layer(D, H, C), fastmlp.SGD(lr=0.1)
    optimizer.prepare(model)
    loss = losses.get("cross_entropy")
    runner = CompiledRunner(model, loss, optimizer, X, Y, None, BATCH, 1, "highest", l2=0.0, seed=0)
    return runner, model


def epoch(runner, rows):
    rates = np.full(-(-len(rows) // BATCH), 0.1)
    return runner.train_epoch(np.asarray(rows), 0, rates, lambda: None)


def test_the_losses_of_an_epoch_stay_as_they_were():
    runner, _ = build()
    first = epoch(runner, range(40))
    noted = first.losses.copy()

    second = epoch(runner, range(40))

    np.testing.assert_array_equal(first.losses, noted)
    assert not np.array_equal(second.losses, noted)
    first.losses.fill(np.nan)  # they belong to the caller
    assert np.isfinite(epoch(runner, range(40)).losses).all()


def test_splitting_steps_into_epochs_changes_nothing():
    runner, model = build()
    lengths = [8, 40, 3, 24, 40]
    together = [epoch(runner, range(n)) for n in lengths]

    other, twin = build()
    for n, result in zip(lengths, together, strict=True):
        single = [epoch(other, range(i, min(n, i + BATCH))) for i in range(0, n, BATCH)]
        np.testing.assert_array_equal(result.losses, np.concatenate([r.losses for r in single]))
        assert result.n_correct == sum(r.n_correct for r in single)
    np.testing.assert_array_equal(model.theta, twin.theta)


def test_an_order_that_changed_in_place_is_read_again():
    runner, model = build()
    order = np.arange(8)
    epoch(runner, order)
    order += 8
    epoch(runner, order)

    other, twin = build()
    epoch(other, np.arange(16))
    np.testing.assert_array_equal(model.theta, twin.theta)


def test_a_read_only_order_is_used_in_every_epoch():
    runner, model = build()
    order = np.arange(8)[::-1].copy()
    order.flags.writeable = False
    epoch(runner, order)
    epoch(runner, range(8, 16))
    epoch(runner, order)
    epoch(runner, order)

    other, twin = build()
    epoch(other, [*order, *range(8, 16), *order, *order])
    np.testing.assert_array_equal(model.theta, twin.theta)


def test_a_rate_that_changes_after_an_epoch_does_not_change_it():
    runner, model = build()
    rates = np.full(5, 0.1)
    runner.train_epoch(np.arange(40), 0, rates, lambda: None)
    after_one = model.theta.copy()
    rates[:] = 0.0

    runner.train_epoch(np.arange(40), 0, rates, lambda: None)

    np.testing.assert_array_equal(model.theta, after_one)


def test_a_shared_penalty_is_l2_over_the_rows_of_each_minibatch():
    shared, model = build()
    shared.share_penalty(2.0)
    weights = [model.params[name] for name in model.params if name.endswith("weight")]
    plain, twin = build()

    for rows in (range(8), range(5)):
        squares = sum(float(np.square(w, dtype=np.float64).sum()) for w in weights)
        twin.theta = model.theta
        got, bare = epoch(shared, rows), epoch(plain, rows).losses
        np.testing.assert_allclose(got.losses - bare, got.penalties, rtol=1e-5)
        np.testing.assert_allclose(got.penalties, 0.5 * 2.0 / len(rows) * squares, rtol=1e-5)
