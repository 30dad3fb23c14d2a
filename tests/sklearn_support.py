"""Data and helpers for tests of the estimators."""

import numpy as np
from sklearn.datasets import make_classification, make_regression

from fastmlp import Callback

SMALL = {"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 5}


def three_classes(n=300, dtype=np.float64):
    X, y = make_classification(n, 10, n_informative=6, n_classes=3, random_state=0)
    return X.astype(dtype), np.array(["a", "b", "c"])[y]


def numbers(n=300, n_targets=1):
    X, y = make_regression(n, 8, n_targets=n_targets, noise=0.1, random_state=0)
    return X, y / y.std()


def weights_of(estimator):
    return np.concatenate([a.ravel() for a in estimator.coefs_ + estimator.intercepts_])


def assert_same_bits(a, b):
    np.testing.assert_array_equal(weights_of(a), weights_of(b))


class Record(Callback):
    """Records what it is called with; stops after some epochs."""

    def __init__(self, stop_after=None):
        self.stop_after, self.records, self.history, self.info = stop_after, [], None, None

    def on_train_begin(self, info):
        self.info = info

    def on_epoch_end(self, epoch, record, model):
        self.records.append(dict(record))
        return "enough" if epoch + 1 == self.stop_after else None

    def on_train_end(self, history):
        self.history = history
