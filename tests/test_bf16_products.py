"""Products of bfloat16 tiles against float64, each element within `precision_rule`'s bound."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from precision_rule import assert_within_bound, factors, scalings
from strategies import seeds

from fastmlp.kernels.machine import isa

if not isa.current().bf16_tiles:
    pytest.skip("needs a bfloat16 tile unit (AMX)", allow_module_level=True)

from fastmlp.kernels.machine.links import Block
from fastmlp.kernels.products import affine_bf16 as bf16

PARTS = pytest.mark.parametrize("parts", [1, 2], ids=["medium", "high"])
sizes = st.one_of(
    st.sampled_from([1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257]), st.integers(1, 130)
)


def whole(n):
    return -(-n // 32) * 32


class Products:
    """A layer's three products, in memory that was filled with ``poison`` before."""

    def __init__(self, parts, poison=np.nan):
        self.parts, self.poison = parts, poison

    def empty(self, *shape):
        return np.full(shape, self.poison, np.float32)

    def tiles(self, n, m):
        """Return memory for a matrix in tiles."""
        return self.empty(self.parts * whole(n) * whole(m) // 2)

    def factor(self, x):
        """Return x in the forms that the forward product and the weight gradient read."""
        N, D = x.shape
        memory = self.empty(2 * self.tiles(N, D).size)
        turned = memory.size // 2
        bf16.prepare_factor(x, memory, 0, turned, N, D, self.parts, Block(0, N, 0, D))
        return memory, turned

    def weight(self, weight, backward):
        """Return the weight in the form that the forward or the backward product reads."""
        D, H = weight.shape
        memory = self.empty(2 * self.tiles(D, H).size)
        place = memory.size // 2 if backward else -1
        theta = self.empty(D * H)
        theta[:] = weight.reshape(-1)
        for first in range(0, D, 64):
            last = min(D, first + 64)
            bf16.pack_weight_bf16(
                theta, 0, D, H, self.parts, memory, 0, place, self.tiles(32, H), first, last
            )
        return memory, place

    def scratch(self, width):
        """Return the scratch memory of a thread."""
        return self.empty(int(bf16.START) + max(32, whole(width)))

    def forward(self, x, weight, bias=None):
        """Compute x @ weight + bias, in a matrix with padded rows."""
        (N, D), H = x.shape, weight.shape[1]
        memory, _ = self.factor(x)
        packed, _ = self.weight(weight, backward=False)
        y = self.empty(N, H + 5)
        given_bias = self.empty(H) if bias is None else bias
        bf16.affine_forward_bf16(
            memory, 0, N, self.parts, packed, 0, given_bias, bias is not None, y, D, H,
            self.scratch(H), Block(0, N, 0, H),
        )  # fmt: skip
        np.testing.assert_array_equal(y[:, H:], self.poison)
        return y[:, :H]

    def backward(self, dz, weight):
        """Compute dz @ weight.T, in a matrix with padded rows."""
        (N, H), D = dz.shape, len(weight)
        memory = self.empty(2 * self.tiles(N, H).size)
        bf16.prepare_gradient(dz, memory, 0, memory.size // 2, N, H, self.parts, Block(0, N, 0, H))
        packed, place = self.weight(weight, backward=True)
        dx = self.empty(N, D + 5)
        bf16.affine_backward_bf16(
            memory, 0, N, self.parts, packed, place, dx, D, H, self.scratch(D), Block(0, N, 0, D),
        )  # fmt: skip
        np.testing.assert_array_equal(dx[:, D:], self.poison)
        return dx[:, :D]

    def gradient(self, x, dz, n_rows_a_piece=64):
        """Compute x.T @ dz, a few rows at a time."""
        (N, D), H = x.shape, dz.shape[1]
        factor, turned = self.factor(x)
        memory = self.empty(factor.size + 2 * self.tiles(N, H).size)
        memory[: factor.size] = factor
        rounded, packed = factor.size, factor.size + self.tiles(N, H).size
        bf16.prepare_gradient(dz, memory, rounded, packed, N, H, self.parts, Block(0, N, 0, H))
        out = self.empty(D * H + 7)
        for first in range(0, D, n_rows_a_piece):
            last = min(D, first + n_rows_a_piece)
            bf16.weight_gradient_bf16(
                memory, turned, packed, N, N, D, H, self.parts, out, first * H, self.scratch(0),
                first, last,
            )  # fmt: skip
        np.testing.assert_array_equal(out[D * H :], self.poison)
        return out[: D * H].reshape(D, H)


@PARTS
@given(sizes, sizes, sizes, scalings, st.booleans(), seeds)
def test_forward(parts, N, D, H, scaling, has_bias, seed):
    x, weight = factors(N, D, H, scaling, seed)
    bias = np.random.default_rng(seed).standard_normal(H).astype(np.float32) if has_bias else None

    y = Products(parts).forward(x, weight, bias)

    assert_within_bound(y, x, weight, parts, bias if has_bias else 0.0)


@PARTS
@given(sizes, sizes, sizes, scalings, seeds)
def test_backward(parts, N, D, H, scaling, seed):
    dz, transposed = factors(N, H, D, scaling, seed)

    dx = Products(parts).backward(dz, np.ascontiguousarray(transposed.T))

    assert_within_bound(dx, dz, transposed, parts)


@PARTS
@given(sizes, sizes, sizes, scalings, st.sampled_from([32, 64, 96]), seeds)
def test_weight_gradient(parts, N, D, H, scaling, n_rows_a_piece, seed):
    transposed, dz = factors(D, N, H, scaling, seed)

    dweight = Products(parts).gradient(np.ascontiguousarray(transposed.T), dz, n_rows_a_piece)

    assert_within_bound(dweight, transposed, dz, parts)


@PARTS
@pytest.mark.parametrize(("N", "D", "H"), [(128, 784, 128), (40, 1100, 1100), (512, 33, 10)])
def test_training_sizes(parts, N, D, H):
    x, weight = factors(N, D, H, "rows", 0)
    dz, _ = factors(N, H, 1, "none", 1)
    products = Products(parts)

    assert_within_bound(products.forward(x, weight), x, weight, parts)
    assert_within_bound(products.backward(dz, weight), dz, weight.T, parts)
    assert_within_bound(products.gradient(x, dz), x.T, dz, parts)


@PARTS
@given(sizes, sizes, sizes, seeds)
def test_small_whole_numbers_are_exact(parts, N, D, H, seed):
    """One part represents each number exactly, and float32 their sums, including 0."""
    rng = np.random.default_rng(seed)
    x, weight = (rng.integers(-100, 101, s).astype(np.float32) for s in [(N, D), (D, H)])

    y = Products(parts).forward(x, weight)

    np.testing.assert_array_equal(y, x @ weight)


def all_products(products, x, weight, dz):
    return products.forward(x, weight), products.backward(dz, weight), products.gradient(x, dz)


@PARTS
@given(sizes, sizes, sizes, seeds)
def test_prior_contents_of_memory_do_not_matter(parts, N, D, H, seed):
    (x, weight), (dz, _) = factors(N, D, H, "none", seed), factors(N, H, 1, "none", seed)

    clean = all_products(Products(parts, 0.0), x, weight, dz)
    poisoned = all_products(Products(parts, np.nan), x, weight, dz)

    for a, b in zip(clean, poisoned, strict=True):
        np.testing.assert_array_equal(a, b)


@PARTS
@given(sizes, sizes, sizes, st.sampled_from([np.nan, np.inf, -np.inf]), seeds)
def test_nan_and_infinity_come_through(parts, N, D, H, value, seed):
    """One non-finite number affects the same elements as in a float32 product, and no others."""
    (x, weight), (dz, _) = factors(N, D, H, "none", seed), factors(N, H, 1, "none", seed)
    assume((weight != 0).all() and (dz != 0).all())
    rng = np.random.default_rng(seed)
    i, k, h = rng.integers(N), rng.integers(D), rng.integers(H)
    bad_x, bad_weight, bad_dz = x.copy(), weight.copy(), dz.copy()
    bad_x[i, k], bad_weight[k, h], bad_dz[i, h] = value, value, value
    products = Products(parts)

    for actual, a, b in [
        (products.forward(bad_x, weight), bad_x, weight),
        (products.forward(x, bad_weight), x, bad_weight),
        (products.backward(bad_dz, weight), bad_dz, weight.T),
        (products.backward(dz, bad_weight), dz, bad_weight.T),
        (products.gradient(bad_x, dz), bad_x.T, dz),
        (products.gradient(x, bad_dz), x.T, bad_dz),
    ]:
        with np.errstate(invalid="ignore"):
            expected = a.astype(np.float64) @ b.astype(np.float64)
        there = ~np.isfinite(expected)
        np.testing.assert_array_equal(actual[there], expected[there])
        assert np.isfinite(actual[~there]).all()


@PARTS
@pytest.mark.parametrize("nothing", [0.0, 1e-40])
def test_infinity_times_a_subnormal_is_nan(parts, nothing):
    """Subnormal numbers count as 0 here, too."""
    x, weight = np.ones((20, 40), np.float32), np.ones((40, 33), np.float32)
    x[3, 7], weight[7, 5] = np.inf, nothing

    y = Products(parts).forward(x, weight)

    assert np.isnan(y[3, 5])
    np.testing.assert_array_equal(np.delete(y[3], 5), np.inf)
    assert np.isfinite(np.delete(y, 3, axis=0)).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_numbers_above_the_largest_bfloat16(sign):
    """One part rounds the largest float32 to infinity; two parts represent it."""
    x = np.full((3, 2), sign * np.finfo(np.float32).max, np.float32)
    weight = np.array([[0.1257], [0.0311]], np.float32)

    np.testing.assert_array_equal(Products(1).forward(x, weight), sign * np.inf)
    assert_within_bound(Products(2).forward(x, weight), x, weight, 2)


@PARTS
@pytest.mark.parametrize("exponent", [-37.5, -39.0, -44.0])
def test_the_smallest_numbers_do_no_harm(parts, exponent):
    """They may count as 0, also in a low part; the rest of the sum is right."""
    x, weight = factors(40, 70, 50, "none", 0)
    small = np.random.default_rng(1).random(x.shape) < 0.5
    x[small] = (x[small] * 10.0**exponent).astype(np.float32)
    weight *= np.float32(1e10)

    y = Products(parts).forward(x, weight)
    only_small = Products(parts).forward(x * small, weight)

    assert_within_bound(y, x, weight, parts)
    assert_within_bound(only_small, x * small, weight, parts)
