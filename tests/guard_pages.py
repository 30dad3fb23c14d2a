"""Runs kernels on arrays that end where readable memory ends: an access beyond kills the process.

test_bounds.py runs this script in a separate process. It prints the checks that it survived.
"""

import ctypes
import mmap
import sys
from itertools import cycle

import numpy as np

PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)
_kept = []  # memory must outlive every array in it


def guarded(array, *, at_start=False):
    """Return a copy that ends right before (or starts right after) a page that is off limits."""
    n_bytes = max(1, array.nbytes)
    n_pages = -(-n_bytes // PAGE)
    memory = mmap.mmap(-1, (n_pages + 2) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, n_pages + 1):
        if _libc.mprotect(ctypes.c_void_p(start + page * PAGE), PAGE, 0):
            raise OSError(ctypes.get_errno(), "mprotect failed")
    offset = PAGE if at_start else (n_pages + 1) * PAGE - array.nbytes
    copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    _kept.append(memory)
    return copy


def products(dtype):
    """Run products of all tile edges, forward and backward, with guarded inputs and outputs."""
    from fastmlp import ops

    rng = np.random.default_rng(0)
    real_empty = np.empty
    for at_start in (False, True):

        def empty(shape, dtype=float, at_start=at_start):
            return guarded(real_empty(shape, dtype), at_start=at_start)

        for N in (1, 2, 5, 7, 8, 9, 17, 129):
            for D, H in [(1, 1), (3, 17), (7, 48), (16, 5), (17, 33), (65, 49), (257, 1), (31, 97)]:
                x, weight, bias, dy = (
                    guarded(rng.standard_normal(s).astype(dtype), at_start=at_start)
                    for s in [(N, D), (D, H), (H,), (N, H)]
                )
                dweight, dbias = empty((D, H), dtype), empty(H, dtype)
                np.empty = empty
                try:
                    y = ops.affine(x, weight, bias)
                    ops.affine_backward(dy, x, weight, dweight, dbias)
                finally:
                    np.empty = real_empty
                np.testing.assert_allclose(y, x @ weight + bias, rtol=1e-3, atol=1e-3)
                np.testing.assert_allclose(dweight, x.T @ dy, rtol=1e-3, atol=1e-3)
            _kept.clear()


def training(dtype):
    """Train with guarded data, parameters, workspace and scratch."""
    from networks import OPTIMIZERS, every_layer

    import fastmlp
    from fastmlp import ops
    from fastmlp.training import PRECISIONS

    precisions, real = cycle(PRECISIONS), ops.aligned_zeros
    ops.aligned_zeros = lambda size, dtype: guarded(real(size, dtype))
    rng = np.random.default_rng(0)
    for source in ("uint8", "float32", "float64"):
        for N, D, H, C, batch in [(1, 1, 1, 1, 1), (50, 7, 33, 3, 16), (70, 65, 17, 11, 69)]:
            for optimizer in OPTIMIZERS:
                model = every_layer(D, H, C, dtype=dtype)
                X = guarded(rng.integers(0, 9, (N, D)).astype(source))
                y = guarded(rng.integers(0, C, N))
                rule = OPTIMIZERS[optimizer](clip_norm=1.0, max_norm=2.0)
                options = {"epochs": 2, "batch_size": batch, "n_threads": 2, "verbose": False}
                options["matmul_precision"] = next(precisions)
                history = model.fit(X, y, optimizer=rule, **options)
                assert np.isfinite(history.steps).all()
                assert np.isfinite(model.predict(X)).all()
        fastmlp.Sequential(fastmlp.Linear(5, 3), dtype=dtype).predict(
            guarded(np.ones((300, 5), source))
        )


def bfloat16_products(dtype):
    """Run products on bfloat16 tiles, if there are any; they read only float32."""
    from fastmlp.kernels.machine import isa

    if dtype != "float32" or not isa.current().bf16_tiles:
        return
    from test_bf16_products import Products

    rng = np.random.default_rng(0)
    for at_start in (False, True):

        class Guarded(Products):
            def empty(self, *shape, at_start=at_start):
                return guarded(super().empty(*shape), at_start=at_start)

        for parts in (1, 2):
            products = Guarded(parts)
            for N in (1, 15, 33, 128):
                for D, H in [(1, 1), (3, 17), (16, 5), (32, 64), (65, 49), (257, 31), (31, 513)]:
                    x, weight, bias, dz = (
                        guarded(rng.standard_normal(s).astype(dtype), at_start=at_start)
                        for s in [(N, D), (D, H), (H,), (N, H)]
                    )
                    y = products.forward(x, weight, bias)
                    dx, dweight = products.backward(dz, weight), products.gradient(x, dz)
                    np.testing.assert_allclose(y, x @ weight + bias, rtol=0.1, atol=1.0)
                    np.testing.assert_allclose(dx, dz @ weight.T, rtol=0.1, atol=1.0)
                    np.testing.assert_allclose(dweight, x.T @ dz, rtol=0.1, atol=1.0)
                _kept.clear()


if __name__ == "__main__":
    for kind in ("float32", "float64"):
        globals()[sys.argv[1]](kind)
        print(kind)
