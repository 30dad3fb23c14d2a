"""Alternatives to fastmlp for prediction: the same network, the same parameters, float32."""

# Contenders are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.peers import missing, thread_counts, trial_seconds
from bench.peers.blas import tune_threads
from bench.workloads import Parameters, Workload, predict

__all__ = ["CONTENDERS", "ROWS", "available", "error", "prepare", "rows"]

CONTENDERS = {
    "fastmlp": "fastmlp",
    "onnxruntime": "onnxruntime",
    "torch": "torch",
    "sklearn": "sklearn",
    "jax": "jax",
    "numpy": "numpy",
}
"""The name of each contender and the module that it needs."""

ROWS = (1, 64, 10_000)
"""Numbers of rows to predict at a time."""

Predict = Callable[[np.ndarray], Any]


def available(name: str) -> str | None:
    """Return None, or why the contender called `name` cannot run here."""
    if name == "onnxruntime" and missing("onnx"):
        return "onnx, which builds the model for onnxruntime, is not installed"
    return missing(CONTENDERS[name])


def prepare(name: str, work: Workload, x: np.ndarray) -> tuple[Predict, int | None]:
    """Return the prediction function of contender `name`, and its number of threads if tuned.

    If the number of threads can be set, one and all are tried on `x`, and the faster is used.
    """
    parameters = work.initial_parameters()
    if name in ("onnxruntime", "torch"):
        make = with_onnxruntime if name == "onnxruntime" else with_torch
        trials = {}
        for n_threads in thread_counts():
            function = make(parameters, n_threads)
            trials[n_threads] = trial_seconds(partial(function, x))
        n_threads = min(trials, key=lambda n: trials[n])
        return make(parameters, n_threads), n_threads
    if name == "fastmlp":
        return with_fastmlp(work, parameters), None
    if name == "jax":
        return with_jax(parameters), None
    function = with_sklearn(work, parameters) if name == "sklearn" else with_numpy(parameters)
    return function, tune_threads(partial(function, x))


def rows(work: Workload, n_rows: int) -> np.ndarray:
    """Return `n_rows` rows of the workload's data, repeated if it has fewer."""
    return np.resize(work.data()[0], (n_rows, work.widths[0]))


def error(predict_rows: Predict, work: Workload, x: np.ndarray) -> float:
    """Return the largest difference from float64 numpy, relative to the largest output."""
    exact = predict(work.initial_parameters(), x, work.activation)
    given = np.asarray(predict_rows(x), np.float64)
    if np.allclose(given.sum(axis=1), 1.0, atol=1e-4):  # scikit-learn returns probabilities
        exact = np.exp(exact - exact.max(axis=1, keepdims=True))
        exact /= exact.sum(axis=1, keepdims=True)
    return float(np.abs(given - exact).max() / np.abs(exact).max())


def with_fastmlp(work: Workload, parameters: Parameters) -> Predict:
    """Return fastmlp's prediction."""
    import fastmlp
    from bench.peers.fastmlp_peer import network

    os.environ["FASTMLP_PREDICT"] = "compiled"  # not plain numpy, though nothing was trained
    model = fastmlp.Sequential(*network(work))
    for i, (weight, bias) in enumerate(parameters):
        model.params[f"{2 * i}.weight"][...] = weight
        model.params[f"{2 * i}.bias"][...] = bias
    return model


def with_numpy(parameters: Parameters) -> Predict:
    """Return numpy's prediction, with one line per layer."""

    def forward(x: np.ndarray) -> np.ndarray:
        for weight, bias in parameters[:-1]:
            x = np.maximum(x @ weight + bias, 0)
        weight, bias = parameters[-1]
        return x @ weight + bias

    return forward


def with_torch(parameters: Parameters, n_threads: int) -> Predict:
    """Return PyTorch's prediction, in inference mode."""
    import torch

    torch.set_num_threads(n_threads)
    tensors = [
        (torch.from_numpy(np.ascontiguousarray(w.T)), torch.from_numpy(b)) for w, b in parameters
    ]
    linear = torch.nn.functional.linear

    @torch.inference_mode()
    def forward(x: np.ndarray) -> np.ndarray:
        hidden = torch.from_numpy(x)
        for weight, bias in tensors[:-1]:
            hidden = linear(hidden, weight, bias).relu_()
        return linear(hidden, *tensors[-1]).numpy()

    return forward


def with_jax(parameters: Parameters) -> Predict:
    """Return JAX's prediction, jitted."""
    import jax
    import jax.numpy as jnp

    @jax.jit
    def forward(x: Any) -> Any:
        for weight, bias in parameters[:-1]:
            x = jnp.maximum(x @ weight + bias, 0)
        return x @ parameters[-1][0] + parameters[-1][1]

    return lambda x: np.asarray(forward(x))


def with_sklearn(work: Workload, parameters: Parameters) -> Predict:
    """Return scikit-learn's ``predict_proba``, its closest equivalent to outputs."""
    from sklearn.neural_network import MLPClassifier

    X, y = work.data()
    make: Any = MLPClassifier  # its annotations do not allow an integer batch size
    estimator = make(work.widths[1:-1], max_iter=1, batch_size=work.batch_size)
    estimator.partial_fit(X[: work.batch_size], y[: work.batch_size], classes=np.unique(y))
    estimator.coefs_ = [weight for weight, _ in parameters]
    estimator.intercepts_ = [bias for _, bias in parameters]
    return estimator.predict_proba


def with_onnxruntime(parameters: Parameters, n_threads: int) -> Predict:
    """Return ONNX Runtime's prediction, from a model of Gemm and Relu nodes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = onnxruntime.InferenceSession(
        onnx_model(parameters), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})[0]


def onnx_model(parameters: Parameters) -> bytes:
    """Return the network as a serialised ONNX model with input ``x`` and output ``y``."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, last = [], [], "x"
    for i, (weight, bias) in enumerate(parameters):
        constants += [numpy_helper.from_array(weight, f"w{i}")]
        constants += [numpy_helper.from_array(bias, f"b{i}")]
        top = i == len(parameters) - 1
        nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], ["y" if top else f"z{i}"]))
        if not top:
            nodes.append(helper.make_node("Relu", [f"z{i}"], [f"h{i}"]))
        last = f"h{i}"
    ends = [("x", parameters[0][0].shape[0]), ("y", parameters[-1][0].shape[1])]
    given, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in ends
    )
    graph = helper.make_graph(nodes, "mlp", [given], [result], constants)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
