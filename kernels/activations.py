"""Activation functions and their derivatives, in place over a block of a matrix.

``activate`` turns z into f(z). ``scale_by_derivative`` turns dL/dy into dL/dz = dL/dy * f'(z),
from what the forward pass saved: the output y, or the input z for the codes from NEEDS_INPUT on.
This is the only place where activations are told apart.
"""

import math

from .jit import kernel
from .maths import constant, exp, expm1, logistic, one, tanh
from .opcodes import ELU, GELU, LEAKY_RELU, MISH, RELU, SELU, SIGMOID, SILU, TANH

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
    zero = constant(alpha, 0.0, 0.0)
    for i in range(row, row_end):
        if code == RELU:
            for j in range(column, column_end):
                x = z[i, j]
                z[i, j] = zero if x < zero else x
        elif code == LEAKY_RELU:
            for j in range(column, column_end):
                x = z[i, j]
                z[i, j] = alpha * x if x < zero else x
        elif code == ELU:
            for j in range(column, column_end):
                z[i, j] = _elu(z[i, j], alpha, one(alpha))
        elif code == SELU:
            scale = constant(alpha, SELU_SCALE, SELU_SCALE)
            scaled_alpha = constant(alpha, SELU_SCALE * SELU_ALPHA, SELU_SCALE * SELU_ALPHA)
            for j in range(column, column_end):
                z[i, j] = _elu(z[i, j], scaled_alpha, scale)
        elif code == SIGMOID:
            for j in range(column, column_end):
                z[i, j] = logistic(z[i, j])
        elif code == TANH:
            for j in range(column, column_end):
                z[i, j] = tanh(z[i, j])
        elif code == GELU:
            for j in range(column, column_end):
                z[i, j] = z[i, j] * _normal_cdf(z[i, j])
        elif code == SILU:
            for j in range(column, column_end):
                z[i, j] = z[i, j] * logistic(z[i, j])
        elif code == MISH:
            for j in range(column, column_end):
                z[i, j] = z[i, j] * _tanh_softplus(z[i, j])


@kernel
def scale_by_derivative(code, alpha, gradient, saved, row, row_end, column, column_end):
    """gradient[i, j] *= f'(z[i, j]), with f' computed from saved[i, j].

    Reads gradient, saved. Writes gradient. May destroy nothing else.
    """
    zero, unit = constant(alpha, 0.0, 0.0), one(alpha)
    for i in range(row, row_end):
        if code == RELU:
            for j in range(column, column_end):
                gradient[i, j] = gradient[i, j] if saved[i, j] > zero else zero
        elif code == LEAKY_RELU:
            for j in range(column, column_end):
                gradient[i, j] *= unit if saved[i, j] > zero else alpha
        elif code == ELU:
            for j in range(column, column_end):
                gradient[i, j] *= unit if saved[i, j] > zero else saved[i, j] + alpha
        elif code == SELU:
            scale = constant(alpha, SELU_SCALE, SELU_SCALE)
            scaled_alpha = constant(alpha, SELU_SCALE * SELU_ALPHA, SELU_SCALE * SELU_ALPHA)
            for j in range(column, column_end):
                gradient[i, j] *= scale if saved[i, j] > zero else saved[i, j] + scaled_alpha
        elif code == SIGMOID:
            for j in range(column, column_end):
                gradient[i, j] *= saved[i, j] * (unit - saved[i, j])
        elif code == TANH:
            for j in range(column, column_end):
                gradient[i, j] *= unit - saved[i, j] * saved[i, j]
        elif code == GELU:
            for j in range(column, column_end):
                gradient[i, j] *= _gelu_derivative(saved[i, j])
        elif code == SILU:
            for j in range(column, column_end):
                s = logistic(saved[i, j])
                gradient[i, j] *= s * (unit + saved[i, j] * (unit - s))
        elif code == MISH:
            for j in range(column, column_end):
                z = saved[i, j]
                t = _tanh_softplus(z)
                gradient[i, j] *= t + z * (unit - t * t) * logistic(z)


@kernel
def _elu(x, alpha, scale):
    """scale * x for x > 0, else alpha * (e**x - 1). Clevert et al., 2016, equation 15."""
    zero = constant(x, 0.0, 0.0)
    negative = alpha * expm1(zero if x > zero else x)
    return scale * x if x > zero else negative


@kernel
def _normal_cdf(x):
    """Phi(x) = (1 + erf(x / sqrt 2)) / 2. Hendrycks and Gimpel, GELU, 2016."""
    half, root = constant(x, 0.5, 0.5), constant(x, SQRT_HALF, SQRT_HALF)
    return half * math.erfc(-x * root)


@kernel
def _gelu_derivative(x):
    """d/dx x Phi(x) = Phi(x) + x phi(x)."""
    half, root = constant(x, 0.5, 0.5), constant(x, SQRT_TWO_PI, SQRT_TWO_PI)
    return _normal_cdf(x) + x * exp(-half * x * x) / root


@kernel
def _tanh_softplus(x):
    """tanh(ln(1 + e**x)) = (e**2x + 2e**x) / (e**2x + 2e**x + 2). Misra, Mish, 2019."""
    limit, two = constant(x, 40.0, 20.0), constant(x, 2.0, 2.0)
    e = exp(limit if x > limit else x)
    numerator = e * (e + two)
    return numerator / (numerator + two)
