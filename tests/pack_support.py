"""Models to train many at once, a callback that listens, and a comparison of how they end."""

import numpy as np

import fastmlp
from fastmlp import Linear, ReLU


def nets(widths, D=6, C=3, **options):
    """Return a model for each width."""
    return [
        fastmlp.Sequential(Linear(D, h), ReLU(), Linear(h, C), seed=i, **options)
        for i, h in enumerate(widths)
    ]


def same(one, other):
    """Assert that two models and the histories of their training are equal, times apart."""
    (model, history), (other_model, other_history) = one, other
    np.testing.assert_array_equal(model.theta, other_model.theta)
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, other_model.state[name])
    np.testing.assert_array_equal(history.steps, other_history.steps)
    for record, other_record in zip(history.epochs, other_history.epochs, strict=True):
        assert record | {"seconds": 0} == other_record | {"seconds": 0}
    assert (history.stopped, history.best_epoch) == (
        other_history.stopped,
        other_history.best_epoch,
    )


class Listener:
    """A callback that keeps what it is told, and then answers."""

    def __init__(self, answer=None):
        self.told, self.answer = [], answer

    def on_run_end(self, index, history, model):
        self.told.append((index, len(history), model))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
