"""After the first epoch, training steps allocate nothing, neither in Python nor in numba.

Between epochs, Python does allocate a little (a record, the order of the rows). So numba's count
must not depend on the number of steps, and Python's memory must never grow by as much as one
layer's outputs in one step take.
"""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from networks import OPTIMIZERS, blobs, every_layer, targets

from fastmlp.callbacks import Callback

D, H, C, BATCH = 40, 64, 5, 512  # few parameters, much computation
FEW, MANY = 2, 8
X, Y = blobs(MANY * BATCH, D, C)


class Meter(Callback):
    """Records the peak of Python's memory and numba's allocation count in each epoch."""

    def __init__(self):
        self.peaks, self.counts = [], []

    def on_train_begin(self, info):
        gc.collect()
        self.start_counting()

    def on_epoch_end(self, epoch, record, model):
        _, peak = tracemalloc.get_traced_memory()
        self.peaks.append(peak - self.start)
        self.counts.append(self.allocations() - self.count)
        self.start_counting()

    def start_counting(self):
        tracemalloc.reset_peak()
        self.start, _ = tracemalloc.get_traced_memory()
        self.count = self.allocations()

    @staticmethod
    def allocations():
        from numba.core.runtime import rtsys

        stats = rtsys.get_allocation_stats()
        return stats.alloc + stats.mi_alloc


@pytest.fixture
def counting():
    """Make Python and numba count their allocations."""
    from numba.core.runtime import _nrt_python

    was_on = _nrt_python.memsys_stats_enabled()
    _nrt_python.memsys_enable_stats()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    if not was_on:
        _nrt_python.memsys_disable_stats()


def measured(optimizer, n_steps, *, loss="cross_entropy", n_threads=1, **limits):
    """Train for four epochs; return peaks in bytes and counts for all but the first."""
    meter, N = Meter(), n_steps * BATCH
    y = Y[:N] if loss == "cross_entropy" else targets(loss, N, C)
    every_layer(D, H, C).fit(
        X[:N],
        y,
        loss=loss,
        optimizer=OPTIMIZERS[optimizer](**limits),
        epochs=4,
        batch_size=BATCH,
        n_threads=n_threads,
        callbacks=[meter],
        verbose=False,
    )
    return meter.peaks[1:], meter.counts[1:]


@pytest.mark.parametrize(
    ("optimizer", "n_threads"), [*((name, 1) for name in OPTIMIZERS), ("sgd", 2), ("adam", 2)]
)
def test_a_step_allocates_nothing(counting, optimizer, n_threads):
    measured(optimizer, FEW, n_threads=n_threads)  # compiles

    _, few_counts = measured(optimizer, FEW, n_threads=n_threads)
    peaks, many_counts = measured(optimizer, MANY, n_threads=n_threads)

    assert max(many_counts) == max(few_counts), "numba allocates in a step"
    assert max(peaks) < BATCH * H * 4, "Python allocates in a step"


@pytest.mark.parametrize("loss", ["mse", "hinge", "huber"])
def test_a_step_of_any_loss_and_every_option_allocates_nothing(counting, loss):
    limits = {"weight_decay": 0.01, "clip_norm": 1.0, "max_norm": 2.0}
    measured("adam", FEW, loss=loss, **limits)

    _, few_counts = measured("adam", FEW, loss=loss, **limits)
    _, many_counts = measured("adam", MANY, loss=loss, **limits)

    assert max(many_counts) == max(few_counts)


def test_memory_does_not_grow_from_epoch_to_epoch(counting):
    measured("adam", FEW)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()

    for _ in range(3):
        measured("adam", FEW)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()

    assert after - before < 100_000


def test_numba_frees_what_it_takes(counting):
    from numba.core.runtime import rtsys

    measured("adam", FEW)
    gc.collect()
    before = rtsys.get_allocation_stats()

    measured("adam", FEW)
    gc.collect()
    after = rtsys.get_allocation_stats()

    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free
    assert np.isfinite(after.alloc)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_data_is_let_go_after_a_fit(n_threads):
    data = X.copy()
    model = every_layer(D, H, C)
    options = {"epochs": 2, "batch_size": BATCH, "n_threads": n_threads, "verbose": False}

    model.fit(data, Y, **options)
    model.predict(data)
    alive = weakref.ref(data)
    del data
    gc.collect()

    assert alive() is None
