"""The error bound of a product of bfloat16 parts, element by element, and factors to test it.

The relative error of a factor is at most u = 2**-8 with one part (8 significant bits), and 2**-16
with two. Two parts also omit the product of the low parts, another 2**-16. Subnormal numbers count
as 0 (Intel, Architecture Instruction Set Extensions, chapter 3).

So with S = sum_k |a_k b_k|, the error of a product is at most (2 u + u**2) S with one part and
3 * 2**-16 S with two, plus that of subnormal numbers, plus the tolerance rule's for float32 sums.
"""

import numpy as np
from hypothesis import strategies as st
from tolerance import bound

TINY = float(np.finfo(np.float32).tiny)
RELATIVE = {0: 0.0, 1: 2.0**-7 + 2.0**-16, 2: 3 * 2.0**-16}
"""Number of parts (0: whole float32 numbers) to the error of a product of two factors."""

scalings = st.sampled_from(["none", "rows", "columns", "summed", "opposed", "mixed"])


def assert_within_bound(actual, a, b, parts, bias=0.0, slack=0.0):
    """Assert that each element of actual equals a @ b + bias within the bound above plus slack."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    sums = np.abs(a) @ np.abs(b)
    underflow = 2 * TINY * (np.abs(a).sum(1)[:, None] + np.abs(b).sum(0) + 3 * a.shape[1])
    rounding = bound(np.float32, K=a.shape[1] + 1, scale=sums + np.abs(bias))

    error = np.abs(actual - (a @ b + bias))

    allowed = RELATIVE[parts] * sums + underflow + rounding + slack
    worst = np.unravel_index(np.argmax(np.nan_to_num(error / allowed, nan=np.inf)), error.shape)
    assert (error <= allowed).all(), f"error {error[worst]:.3g} of allowed {allowed[worst]:.3g}"


def factors(M, K, N, scaling, seed):
    """Return float32 factors (M, K) and (K, N), scaled by powers of ten from -15 to 15."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((M, K)), rng.standard_normal((K, N))

    def powers(*shape):
        return 10.0 ** rng.integers(-15, 16, shape)

    if scaling == "rows":
        a *= powers(M, 1)
    elif scaling == "columns":
        b *= powers(1, N)
    elif scaling == "summed":
        a *= powers(1, K)
    elif scaling == "opposed":
        shared = powers(1, K)
        a, b = a * shared, b / shared.T
    elif scaling == "mixed":
        a, b = a * powers(M, K), b * powers(K, N)
    return a.astype(np.float32), b.astype(np.float32)
