"""Single products: every contender computes the product that it is timed for."""

from functools import partial

import numpy as np
import pytest

from bench import products
from bench.limits import Limits
from bench.products import blas, onednn, timing
from bench.products.ours import OurProduct

LIMITS = Limits(2, 100.0, 200.0, None, None, {1: 1.0})


def contender(name, dtype):
    """Return the class of a contender, or skip the case."""
    if name == "onednn":
        found = onednn.available(dtype) or onednn.OnednnProduct
    elif name == "fastmlp":
        return OurProduct
    else:
        found = {"openblas": blas.openblas, "mkl": blas.mkl}[name]()
        found = found if isinstance(found, str) else partial(blas.BlasProduct, found)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.mark.parametrize("product", products.PRODUCTS)
@pytest.mark.parametrize("shape", [(1, 70, 33), (5, 9, 3), (130, 33, 70), (64, 1, 200)])
@pytest.mark.parametrize("dtype", products.DTYPES)
@pytest.mark.parametrize("name", ["fastmlp", "openblas", "mkl", "onednn"])
def test_the_product_is_that_of_float64_numpy(name, dtype, shape, product):
    factors = timing.drawn(dtype, *shape)
    run = contender(name, dtype)(product, *factors, n_threads=1)

    run(3)

    assert timing.agrees(run.result(), *timing.exact(product, *factors))


@pytest.mark.parametrize("product", products.PRODUCTS)
@pytest.mark.parametrize("shape", [(256, 90, 300), (40, 2000, 600)])
def test_two_threads_compute_the_bits_of_one(shape, product):
    factors = timing.drawn("float32", *shape)
    one, two = (OurProduct(product, *factors, n_threads=n) for n in (1, 2))

    one(1)
    two(4)

    assert two.n_threads == 2
    np.testing.assert_array_equal(one.result(), two.result())


def test_a_wrong_element_is_noticed():
    factors = timing.drawn("float32", 20, 30, 40)
    expected, n_terms = timing.exact("gradient", *factors)
    result = expected.astype(np.float32)
    assert timing.agrees(result, expected, n_terms)

    result[29, 39] += 0.01

    assert not timing.agrees(result, expected, n_terms)


def test_the_ratio_is_that_of_the_fastest_peer_and_the_share_that_of_the_limit():
    ours = {"contender": "fastmlp", "skipped": None, "agrees": True, "ratios": []}
    ours["seconds"] = [2e-6, 2e-6, 9.0]  # 2 * 10 * 100 * 50 operations: 50 GFLOP/s
    slow, fast = ({**ours, "seconds": [1e-6] * 3} for _ in range(2))
    slow |= {"contender": "slow", "ratios": [3.0, 3.0, 3.0]}
    fast |= {"contender": "fast", "ratios": [0.5, 0.5, 0.1]}
    none = {"contender": "none", "skipped": "not installed"}
    measured = {"product": "forward", "n_threads": 1, "contenders": [ours, slow, none, fast]}

    (case,) = products.ProductResult("10x100x50", "float32", [measured], []).described(LIMITS)

    assert (case["fastest"], case["ratio"]) == ("fast", 0.5)
    assert case["rows"][0]["gflops"] == pytest.approx(50)
    assert case["rows"][0]["share"] == pytest.approx(0.5)
    assert products.mean_ratio([case, {"ratio": 2.0}, {"ratio": None}]) == pytest.approx(1.0)


@pytest.mark.parametrize("shape", ["3x4", "3x4x0", "3x4xfive", "1x2x3x4"])
def test_an_invalid_shape_is_refused(shape):
    with pytest.raises(ValueError, match="128x784x10"):
        products.shapes(["1x2x3", shape])


def test_there_are_twenty_shapes():
    assert len(set(products.shapes(None))) == 20
