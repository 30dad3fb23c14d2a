"""Calls by address: what a plan did not ask for, unknown codes, and kernels that raise."""

import numpy as np
import pytest
from networks import blobs, every_layer

import fastmlp
from fastmlp import kernels, losses
from fastmlp.engine import inference, lowering
from fastmlp.engine.compiled import CompiledRunner
from fastmlp.kernels.machine import jit
from fastmlp.kernels.plan import calls, op

X, Y = blobs(64, 6, 3)
X = X.astype(np.float32)
UNKNOWN = [-1, 99, 2**40]


def runner(monkeypatch, n_threads):
    """Return a runner that uses n_threads for steps of any size."""
    monkeypatch.setattr(lowering, "_FLOPS_WORTH_A_THREAD", 1)
    model, optimizer = every_layer(6, 9, 3), fastmlp.SGD(lr=0.1)
    optimizer.prepare(model)
    made = CompiledRunner(
        model, losses.get("cross_entropy"), optimizer, X, Y, None, 32, n_threads, "highest",
        l2=0.0, seed=0,
    )  # fmt: skip
    assert made.n_threads == n_threads
    return made


def train(made):
    return made.train_epoch(np.arange(64), 0, np.full(2, 0.1), lambda: None)


def code_of(family, name):
    return next(code for code, row in enumerate(family.rows()) if row.name == name)


def put(made, family, name, kernel):
    """Let a runner call another kernel for a member of a family."""
    signature = family.signature(kernels.machine.links.types.float32)
    table = made._memory[op.KERNELS] = made._memory[op.KERNELS].copy()
    place = table[2 * family.place] + code_of(family, name)
    table[place] = kernels.machine.links.address_of(kernel, signature)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("code", UNKNOWN)
@pytest.mark.parametrize(("field", "kind"), [(op.LOSS, "losses"), (op.OPTIMIZER, "optimizers")])
def test_an_unknown_code_in_the_header_ends_the_run(monkeypatch, field, kind, code, n_threads):
    made = runner(monkeypatch, n_threads)
    made._plan.header[field] = code

    with pytest.raises(LookupError, match=f"of {kind} has this code"):
        train(made)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(
    ("field", "kind", "codes"),
    [(op.CORE, "cores", UNKNOWN), (op.ACTIVATION, "activations", UNKNOWN[1:])],
)
def test_an_unknown_code_in_an_operation_ends_the_run(monkeypatch, field, kind, codes, n_threads):
    for code in codes:
        made = runner(monkeypatch, n_threads)
        made._plan.operations[1, field] = code

        with pytest.raises(LookupError, match=f"of {kind} has this code"):
            train(made)


@pytest.mark.parametrize("name", ["hinge", "mse", "poisson"])
def test_a_call_that_the_plan_does_not_list_ends_the_run(monkeypatch, name):
    made = runner(monkeypatch, 1)
    made._plan.header[op.LOSS] = kernels.losses.CODES[name]

    with pytest.raises(LookupError, match=r"did not ask for losses.rows"):
        train(made)


def test_raw_input_of_an_unknown_type_ends_the_run(monkeypatch):
    made = runner(monkeypatch, 1)
    made._plan.header[op.RAW_CODE] = 3

    with pytest.raises(LookupError, match="no type of raw input"):
        train(made)


@jit.kernel
def fails_on_thread_1(memory, zero, thread, o, step, n_rows, x):
    if thread == 1:
        raise ValueError("thread 1 has had enough")


@jit.kernel
def fails_in_step_1(memory, zero, thread, o, step, n_rows):
    if step == 1:
        raise ArithmeticError("one step was enough")


@pytest.mark.parametrize("n_threads", [2, 3, 5])
def test_an_error_on_one_thread_ends_all(monkeypatch, n_threads):
    made = runner(monkeypatch, n_threads)
    put(made, calls.FORWARD, "layer_norm", fails_on_thread_1)

    for _ in range(3):
        with pytest.raises(ValueError, match="thread 1 has had enough"):
            train(made)

    assert np.isfinite(train(runner(monkeypatch, n_threads)).losses).all()  # its team is free


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_any_pass_ends_the_run(monkeypatch, n_threads):
    made = runner(monkeypatch, n_threads)
    put(made, calls.BACKWARD, "batch_norm", fails_in_step_1)

    with pytest.raises(ArithmeticError, match="one step was enough"):
        train(made)


def test_after_an_error_this_thread_computes_with_small_numbers_again(monkeypatch):
    made = runner(monkeypatch, 1)
    made._plan.header[op.LOSS] = 99
    smallest = np.array([1e-45], np.float32)

    with pytest.raises(LookupError):
        train(made)

    assert (smallest * np.float32(1) > 0).all()


@jit.kernel
def fails_on_a_block(memory, zero, thread, o, step, n_rows, x):
    if x[x.shape[0] - 1, 0] > 0:  # in the block that a helper may take, or this thread
        raise ValueError("a row like this one")


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_an_error_in_a_prediction_reaches_the_caller(monkeypatch, n_threads):
    monkeypatch.setattr(inference, "_FLOPS_WORTH_A_HELPER", 1)
    monkeypatch.setattr(inference, "_ROWS_WORTH_A_THREAD", 1)
    model = fastmlp.Sequential(fastmlp.Linear(6, 9), fastmlp.ReLU(), fastmlp.Linear(9, 3))
    rows = np.full((512, 6), -1.0, np.float32)
    before = inference.predict(model, rows, n_threads)
    predictor = model.per_thread.predictor
    for table in predictor.tables:
        signature = calls.INFER.signature(kernels.machine.links.types.float32)
        addresses = table[op.KERNELS].copy()
        place = addresses[2 * calls.INFER.place] + code_of(calls.INFER, "affine")
        addresses[place] = kernels.machine.links.address_of(fails_on_a_block, signature)
        table[op.KERNELS] = addresses
    rows[-100:] = 1.0

    for _ in range(5):
        with pytest.raises((ValueError, RuntimeError), match=r"a row like this|another thread"):
            inference.predict(model, rows, n_threads)

    rows[:] = -1.0
    del model.per_thread.predictor
    np.testing.assert_array_equal(inference.predict(model, rows, n_threads), before)
