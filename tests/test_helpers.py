"""Predictions that are shared among several threads."""

import threading
import time

import numpy as np
import pytest

import fastmlp
from fastmlp import BatchNorm, Linear, Normalize, ReLU, kernels
from fastmlp.engine import inference, threads
from fastmlp.kernels.plan import op


@pytest.fixture(autouse=True)
def every_prediction_is_shared(monkeypatch):
    monkeypatch.setattr(inference, "_FLOPS_WORTH_A_HELPER", 1)
    monkeypatch.setattr(inference, "_ROWS_WORTH_A_THREAD", 1)


def model_and_rows(dtype="float32", n_rows=700):
    X = np.random.default_rng(0).integers(0, 256, (n_rows, 20), dtype=np.uint8)
    layers = [Normalize.from_data(X), Linear(20, 33), BatchNorm(33), ReLU(), Linear(33, 5)]
    return fastmlp.Sequential(*layers, seed=1, dtype=dtype), X


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_rows", [1, 2, 8, 9, 63, 700])
def test_the_bits_do_not_depend_on_the_number_of_threads(dtype, n_rows):
    model, X = model_and_rows(dtype, n_rows)
    alone = inference.predict(model, X, 1)

    for n_threads in (2, 3, 8):
        np.testing.assert_array_equal(inference.predict(model, X, n_threads), alone)


def test_sleeping_helpers_are_woken():
    model, X = model_and_rows()
    alone = inference.predict(model, X, 1)
    for pause in (0.0, 1e-4, 3e-4, 0.01) * 10:
        time.sleep(pause)

        together = inference.predict(model, X, 3)

        np.testing.assert_array_equal(together, alone)


def test_predictions_of_several_threads_at_once_do_not_mix():
    models = [model_and_rows(dtype) for dtype in ("float32", "float64")] * 2
    alone = [inference.predict(model, X, 1) for model, X in models]
    wrong = []

    def predict_often(number):
        model, X = models[number]
        for _ in range(50):
            if not np.array_equal(inference.predict(model, X, 3), alone[number]):
                wrong.append(number)

    workers = [threading.Thread(target=predict_often, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert not wrong


def test_helpers_work_on_one_prediction_at_a_time():
    zero = np.float32(0)
    first, second = threads.borrow_helpers(2, zero), threads.borrow_helpers(2, zero)

    threads.give_back(first, zero)
    again = threads.borrow_helpers(2, zero)

    assert set(map(id, again)) == set(map(id, first))
    assert not set(map(id, again)) & set(map(id, second))
    threads.give_back(second + again, zero)


def test_after_ctrl_c_no_helper_uses_freed_memory(monkeypatch):
    model, X = model_and_rows()
    alone, zero = inference.predict(model, X, 1), np.float32(0)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kernels.engine.inference, "infer_together", interrupted)
        with pytest.raises(KeyboardInterrupt):
            inference.predict(model, X, 3)

    helpers = threads.borrow_helpers(2, zero)
    assert all(helper._mailbox[op.OFFER, 0] == op.NOTHING for helper in helpers)
    threads.give_back(helpers, zero)
    np.testing.assert_array_equal(inference.predict(model, X, 3), alone)
