"""Each hot kernel on its own, on one thread, with arrays of the cifar workload's size.

The traffic of a case counts each array once for each time that it must be read or written.
"""

import numpy as np
import pytest

from bench.workloads import workload
from fastmlp import kernels, ops
from fastmlp.kernels.gather import gather_rows
from fastmlp.kernels.plan import op

N, D, H, C = 128, 3072, 512, 10


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def arrays(request):
    """Return a function that draws a random array of the case's dtype."""
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape).astype(request.param)


def test_affine_relu_forward(timed, arrays):
    x, weight, bias = arrays(N, D), arrays(D, H), arrays(H)

    def forward():
        return ops.activation("relu", ops.affine(x, weight, bias))

    timed(forward, flops=2 * N * D * H)


def test_affine_relu_backward(timed, arrays):
    x, weight, dy = arrays(N, D), arrays(D, H), arrays(N, H)
    y = np.maximum(arrays(N, H), 0)
    dweight, dbias = np.empty_like(weight), np.empty_like(dy[0])

    def backward():
        dz = ops.activation_backward("relu", dy, y, y)
        return ops.affine_backward(dz, x, weight, dweight, dbias)

    timed(backward, flops=4 * N * D * H)


@pytest.mark.parametrize("kind", kernels.activations.CODES)
def test_activation(timed, arrays, kind):
    x = arrays(N, H)
    timed(ops.activation, kind, x, 0.1, traffic=2 * x.nbytes)


def test_softmax_cross_entropy(timed, arrays):
    logits, gradient = arrays(4096, C), arrays(4096, C)
    labels = np.arange(4096) % C
    timed(ops.loss, "cross_entropy", logits, labels, None, 0.0, gradient, traffic=2 * logits.nbytes)


def test_dropout(timed, arrays):
    x = arrays(4096, H)
    timed(ops.dropout, x, 0.5, ops.dropout_key(0, 0, 0), traffic=2 * x.nbytes)


@pytest.mark.parametrize("rule", kernels.optimizers.TABLE, ids=lambda rule: rule.name)
def test_update(timed, arrays, rule):
    kind, n_states = rule.name, rule.n_states
    theta, gradient = arrays(D * H), arrays(D * H)
    states = [np.abs(arrays(D * H)) if i < n_states else None for i in range(2)]
    hyper = ops.hyper(lr=1e-6, beta1=0.9, beta2=0.999)
    timed(
        ops.update, kind, theta, gradient, *states, hyper, traffic=(3 + 2 * n_states) * theta.nbytes
    )


@pytest.mark.parametrize("stored", [np.uint8, np.float32])
def test_gather(timed, stored):
    X = (np.abs(workload("cifar").data()[0]) * 50).astype(stored)
    rows = np.random.default_rng(0).permutation(len(X))[:N]
    shift, scale = np.full(D, 100, np.float32), np.full(D, 0.02, np.float32)
    unused, out = np.zeros(1), np.empty((N, D), np.float32)
    raw, code = X.reshape(-1).view(np.uint8), op.RAW_CODES[X.dtype.name]
    timed(
        gather_rows, raw, code, rows, 0, shift, scale, unused, unused, op.IN_REAL, out, 0, N, D,
        traffic=N * D * X.itemsize + out.nbytes,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["batchnorm", "layernorm"])
def test_normalisation(timed, arrays, kind):
    x, gamma, beta = arrays(N, H), arrays(H), arrays(H)

    def forward():
        if kind == "layernorm":
            return ops.layernorm(x, gamma, beta, 1e-5)
        return ops.batchnorm(x, gamma, beta, 0 * beta, 1 + 0 * beta, 0.9, 1e-5, train=True)

    timed(forward, traffic=2 * x.nbytes)
