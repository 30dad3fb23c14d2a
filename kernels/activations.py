"""Activation functions and their derivatives, in place over a block of a matrix.

``activate`` turns z into f(z). ``scale_by_derivative`` turns dL/dy into dL/dz = dL/dy * f'(z),
from what the forward pass saved: the output y, or the input z for the codes from NEEDS_INPUT on.
This is the only place where activations are told apart.
"""

import math

from .jit import inner, kernel
from .maths import constant, exp, expm1, logistic, one, tanh, zero
from .opcodes import ELU, GELU, LEAKY_RELU, MISH, RELU, SELU, SIGMOID, SILU, TANH
from .simd import row_of, wide_vectors

__all__ = ["activate", "scale_by_derivative"]

# Klambauer et al., Self-Normalizing Neural Networks, 2017, equation 14.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
SQRT_HALF = 0.7071067811865476
SQRT_TWO_PI = 2.5066282746310002


@kernel
def activate(code, alpha, z, row, row_end, column, column_end):
    """z[i, j] = f(z[i, j]) for rows [row, row_end) and columns [column, column_end).

    ``alpha`` is the slope of LEAKY_RELU or the alpha of ELU, in z's dtype.
    Reads z. Writes z. May destroy nothing else.
    """
    wide_vectors()
    nought, n = zero(alpha), column_end - column
    if n == z.shape[1]:
        n, row_end = n * (row_end - row), min(row + 1, row_end)  # all in one stretch
    for i in range(row, row_end):
        x = row_of(z, i, column, n)
        if code == RELU:
            for j in range(n):
                x[j] = nought if x[j] < nought else x[j]
        elif code == LEAKY_RELU:
            for j in range(n):
                x[j] = alpha * x[j] if x[j] < nought else x[j]
        elif code == ELU:
            for j in range(n):
                x[j] = _elu(x[j], alpha, one(alpha))
        elif code == SELU:
            scale = constant(alpha, SELU_SCALE, SELU_SCALE)
            scaled_alpha = constant(alpha, SELU_SCALE * SELU_ALPHA, SELU_SCALE * SELU_ALPHA)
            for j in range(n):
                x[j] = _elu(x[j], scaled_alpha, scale)
        elif code == SIGMOID:
            for j in range(n):
                x[j] = logistic(x[j])
        elif code == TANH:
            for j in range(n):
                x[j] = tanh(x[j])
        elif code == GELU:
            for j in range(n):
                x[j] = x[j] * _normal_cdf(x[j])
        elif code == SILU:
            for j in range(n):
                x[j] = x[j] * logistic(x[j])
        elif code == MISH:
            for j in range(n):
                x[j] = x[j] * _tanh_softplus(x[j])


@kernel
def scale_by_derivative(code, alpha, gradient, saved, row, row_end, column, column_end):
    """gradient[i, j] *= f'(z[i, j]), with f' computed from saved[i, j].

    Reads gradient, saved. Writes gradient. May destroy nothing else.
    """
    wide_vectors()
    nought, unit, n = zero(alpha), one(alpha), column_end - column
    if n == gradient.shape[1] == saved.shape[1]:
        n, row_end = n * (row_end - row), min(row + 1, row_end)  # all in one stretch
    for i in range(row, row_end):
        g, s = row_of(gradient, i, column, n), row_of(saved, i, column, n)
        if code == RELU:
            for j in range(n):
                g[j] = g[j] if s[j] > nought else nought
        elif code == LEAKY_RELU:
            for j in range(n):
                g[j] *= unit if s[j] > nought else alpha
        elif code == ELU:
            for j in range(n):
                g[j] *= unit if s[j] > nought else s[j] + alpha
        elif code == SELU:
            scale = constant(alpha, SELU_SCALE, SELU_SCALE)
            scaled_alpha = constant(alpha, SELU_SCALE * SELU_ALPHA, SELU_SCALE * SELU_ALPHA)
            for j in range(n):
                g[j] *= scale if s[j] > nought else s[j] + scaled_alpha
        elif code == SIGMOID:
            for j in range(n):
                g[j] *= s[j] * (unit - s[j])
        elif code == TANH:
            for j in range(n):
                g[j] *= unit - s[j] * s[j]
        elif code == GELU:
            for j in range(n):
                g[j] *= _gelu_derivative(s[j])
        elif code == SILU:
            for j in range(n):
                p = logistic(s[j])
                g[j] *= p * (unit + s[j] * (unit - p))
        elif code == MISH:
            for j in range(n):
                z = s[j]
                t = _tanh_softplus(z)
                g[j] *= t + z * (unit - t * t) * logistic(z)


@inner
def _elu(x, alpha, scale):
    """scale * x for x > 0, else alpha * (e**x - 1). Clevert et al., 2016, equation 15."""
    nought = zero(x)
    negative = alpha * expm1(nought if x > nought else x)
    return scale * x if x > nought else negative


@inner
def _normal_cdf(x):
    """Phi(x) = (1 + erf(x / sqrt 2)) / 2. Hendrycks and Gimpel, GELU, 2016."""
    half, root = constant(x, 0.5, 0.5), constant(x, SQRT_HALF, SQRT_HALF)
    return half * math.erfc(-x * root)


@inner
def _gelu_derivative(x):
    """d/dx x Phi(x) = Phi(x) + x phi(x)."""
    half, root = constant(x, 0.5, 0.5), constant(x, SQRT_TWO_PI, SQRT_TWO_PI)
    return _normal_cdf(x) + x * exp(-half * x * x) / root


@inner
def _tanh_softplus(x):
    """tanh(ln(1 + e**x)) = (e**2x + 2e**x) / (e**2x + 2e**x + 2). Misra, Mish, 2019."""
    limit, two = constant(x, 40.0, 20.0), constant(x, 2.0, 2.0)
    e = exp(limit if x > limit else x)
    numerator = e * (e + two)
    return numerator / (numerator + two)
