"""Hypothesis strategies: arrays with shapes and values that tend to break numerical code.

An array is drawn as (shape, kind of values, seed) and filled by numpy, which is fast and shrinks to
small shapes.
"""

import numpy as np
from hypothesis import strategies as st

from fastmlp import kernels

_ALPHAS = {"leaky_relu": 0.01, "elu": 1.3}
ACTIVATIONS = {row.name: _ALPHAS.get(row.name, 0.0) for row in kernels.activations.TABLE}
"""Names, each with an alpha worth testing."""

_PARAMETERS = {"member_cross_entropy": 1.0, "cross_entropy": 0.1, "huber": 0.7, "quantile": 0.3}
LOSSES = {row.name: _PARAMETERS.get(row.name, 0.0) for row in kernels.losses.TABLE}
"""Names, each with a parameter worth testing."""

LABELS = tuple(row.name for row in kernels.losses.TABLE if row.takes_labels)
"""The names of the losses on class numbers."""

UPDATES = tuple(row.name for row in kernels.optimizers.TABLE)

dtypes = st.sampled_from(["float32", "float64"])
seeds = st.integers(0, 2**32 - 1)
rows = st.one_of(st.just(1), st.integers(1, 70))
columns = st.one_of(st.sampled_from([1, 7, 16, 17, 48, 65]), st.integers(1, 80))
values = st.sampled_from(["normal", "negative rows", "zeros", "huge", "mixed"])


def filled(shape, kind, seed):
    """Return a float64 array whose values are exact in float32, so a cast loses nothing."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    if kind == "negative rows":
        chosen = rng.random(shape[0]) < 0.5
        x[chosen] = -np.abs(x[chosen]) - 1e-3
    elif kind == "zeros":
        x[rng.random(shape) < 0.5] = 0.0
    elif kind == "huge":
        x = np.where(rng.random(shape) < 0.5, -1e4, 1e4)
    elif kind == "mixed":
        x[rng.random(shape) < 0.2] *= 1e4
    return x.astype(np.float32).astype(np.float64)


@st.composite
def matrices(draw, n_rows=rows, n_columns=columns, kinds=values):
    """Draw a float64 matrix with values exact in float32."""
    return filled((draw(n_rows), draw(n_columns)), draw(kinds), draw(seeds))


@st.composite
def loss_cases(draw, kind):
    """Draw outputs (N, C), targets and row weights (or None) for the named loss."""
    N, C = draw(rows), draw(st.integers(1, 23))
    rng = np.random.default_rng(draw(seeds))
    z = filled((N, C), draw(values), draw(seeds))
    if kind in LABELS:
        targets = rng.integers(0, C, N)
    elif kind == "binary_cross_entropy":
        targets = rng.integers(0, 2, (N, C)).astype(np.float64)
    elif kind == "poisson":
        z = np.clip(z, -20.0, 5.0)
        targets = rng.poisson(2.0, (N, C)).astype(np.float64)
    else:
        targets = rng.standard_normal((N, C)).astype(np.float32).astype(np.float64)
    weights = rng.integers(1, 9, N) / 4.0 if draw(st.booleans()) else None
    return z, targets, weights
