"""The tests' only tolerance rule: error <= C * eps(dtype) * sqrt(K) * scale.

K is the number of terms in the sum of one element (or the number of consecutive roundings), and
scale the size of the largest term. The rule says how large rounding errors can plausibly be; it has
no constant to tune by hand for a test.
"""

import numpy as np

C = 16.0


def bound(dtype, *, K=1, scale=1.0):
    """Return the largest error that the rule allows; scale may be an array."""
    return C * float(np.finfo(dtype).eps) * np.sqrt(K) * np.abs(scale)


def assert_close(actual, expected, *, dtype=None, K=1, scale=None):
    """Assert that actual, computed in dtype, equals expected, computed in float64, by the rule.

    Parameters
    ----------
    actual, expected : array_like
        Arrays of the same shape, with NaN and infinity in the same places.
    dtype : dtype, default the dtype of actual
        The precision in which actual was computed.
    K : int, default 1
        Number of terms summed.
    scale : float or array_like, default the largest magnitude in expected
        The size of the terms.

    """
    actual = np.asarray(actual)
    dtype = actual.dtype if dtype is None else np.dtype(dtype)
    expected = np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    actual = actual.astype(np.float64)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    if scale is None:
        scale = np.max(np.abs(expected[finite]), initial=0.0)
    scale = np.broadcast_to(scale, expected.shape)[finite]
    error = np.abs(actual[finite] - expected[finite])
    allowed = bound(dtype, K=K, scale=scale) + np.finfo(dtype).tiny
    if np.all(error <= allowed):
        return
    worst = np.argmax(np.where(np.isnan(error), np.inf, error / allowed))
    raise AssertionError(
        f"error {error[worst]:.3g} is {error[worst] / allowed[worst]:.3g} times the allowed "
        f"{allowed[worst]:.3g}: got {actual[finite][worst]!r}, expected "
        f"{expected[finite][worst]!r} (element {worst} of {error.size})"
    )


def assert_gradient_close(analytic, numerical, *, scale=None):
    """Assert that a float64 gradient equals its central difference, which is exact to eps^(2/3).

    With the step eps^(1/3), the truncation and rounding errors of a central difference are both
    about eps^(2/3), so the rule uses this in place of eps.
    """
    numerical = np.asarray(numerical)
    assert np.shape(analytic) == numerical.shape
    if scale is None:
        scale = max(1.0, float(np.max(np.abs(numerical), initial=0.0)))
    allowed = C * np.finfo(np.float64).eps ** (2 / 3) * scale
    np.testing.assert_allclose(analytic, numerical, rtol=0.0, atol=allowed)
