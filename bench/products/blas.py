"""The products of a BLAS library, called from compiled code, as fastmlp's are.

The library is found by its symbols: OpenBLAS in numpy, MKL in PyTorch. It is called by the Fortran
convention: matrices are column-major, and all arguments are passed by address.
"""

# Peers are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

from bench.peers import missing

__all__ = ["Blas", "BlasProduct", "mkl", "openblas"]


class Blas:
    """A BLAS library.

    Parameters
    ----------
    library : str
        Path of the shared library.
    symbols : sequence of (str, int type)
        Patterns of a Fortran BLAS's symbols, such as ``"{}_"``, with the integer type of each.
    use_threads : callable
        Sets the number of threads.

    """

    def __init__(
        self, library: str, symbols: list[tuple[str, type]], use_threads: Callable[[int], object]
    ):
        self.library = ctypes.CDLL(library)
        self.use_threads = use_threads
        self.symbols = [(s, integer) for s, integer in symbols if self.has(s.format("sgemm"))]
        self.rounds: dict[str, Callable[..., None]] = {}

    def has(self, symbol: str) -> bool:
        """Return whether the library has a function of that name."""
        return hasattr(self.library, symbol)

    def caller(self, routine: str, n_arguments: int) -> Callable[..., None]:
        """Return ``rounds(n, arguments, bias, y)``, which calls a routine n times."""
        if routine not in self.rounds:
            symbol = self.symbols[0][0].format(routine)
            address = ctypes.cast(getattr(self.library, symbol), ctypes.c_void_p).value
            signature: Any = ctypes.CFUNCTYPE(None, *[ctypes.c_size_t] * n_arguments)
            function = signature(address)
            self.rounds[routine] = looped(function)
        return self.rounds[routine]


def openblas() -> Blas | str:
    """Return numpy's OpenBLAS, or why there is none."""
    if missing("threadpoolctl"):
        return "threadpoolctl, which is needed to find OpenBLAS, is not installed"
    from threadpoolctl import threadpool_info, threadpool_limits

    paths = [i["filepath"] for i in threadpool_info() if i["internal_api"] == "openblas"]
    paths.sort(key=lambda path: "numpy" not in Path(path).parent.name)  # prefer numpy's to scipy's
    symbols = [("scipy_{}_64_", np.int64), ("{}_64_", np.int64), ("scipy_{}_", np.int32)]
    symbols.append(("{}_", np.int32))
    if paths:
        found = Blas(paths[0], symbols, lambda n: threadpool_limits(n, user_api="blas"))
        if found.symbols:
            return found
    return "numpy does not include OpenBLAS here"


def mkl() -> Blas | str:
    """Return PyTorch's MKL, or why there is none."""
    if reason := missing("torch"):
        return reason
    import torch

    library = Path(str(torch.__file__)).parent / "lib" / "libtorch_cpu.so"
    if torch.backends.mkl.is_available() and library.exists():
        found = Blas(str(library), [("{}_", np.int32)], torch.set_num_threads)
        if found.symbols:
            return found
    return "PyTorch does not include MKL here"


class BlasProduct:
    """One product of a BLAS library.

    Parameters
    ----------
    blas : Blas
        The library.
    product : str
        One of `bench.products.PRODUCTS`.
    x, weight, bias, dz : ndarray
        (N, D), (D, H), (H,), (N, H).
    n_threads : int
        Number of threads for the library.

    """

    def __init__(
        self,
        blas: Blas,
        product: str,
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray,
        dz: np.ndarray,
        n_threads: int,
    ):
        n, d, h = *x.shape, dz.shape[1]
        self.blas, self.n_threads = blas, n_threads
        self.bias = bias if product == "forward" else bias[:0]
        # Fortran computes the transposed result. For it: the factors, whether each is read
        # transposed, their row lengths here, and the sizes of the result and of the sum.
        if product == "forward":
            left, right, m, k, size = (weight, "N", h), (x, "N", d), h, d, (n, h)
        elif product == "backward":
            left, right, m, k, size = (weight, "T", h), (dz, "N", h), d, h, (n, d)
        else:
            left, right, m, k, size = (dz, "N", h), (x, "T", d), h, n, (d, h)
        self.y = np.empty(size, x.dtype)
        letter = {"float32": "s", "float64": "d"}[x.dtype.name]
        integers = np.array([m, len(self.y), k, left[2], right[2], m, d, h, 1])
        self.integers = integers.astype(blas.symbols[0][1])
        self.numbers = np.array([1, 1 if product == "forward" else 0], x.dtype)
        self.letters = np.frombuffer(f"{left[1]}{right[1]}".encode(), np.uint8).copy()
        self.factors = left[0], right[0]
        i, one, start = self.at(self.integers), *self.at(self.numbers)
        turned = self.at(self.letters)
        a, b, y = (self.at(array.reshape(-1)[:1])[0] for array in (left[0], right[0], self.y))
        if n == 1 and product != "gradient":  # numpy and PyTorch do this too
            self.rounds = blas.caller(f"{letter}gemv", 11)
            self.arguments = (turned[0], i[7], i[6], one, a, i[7], b, i[8], start, y, i[8])
        else:
            self.rounds = blas.caller(f"{letter}gemm", 13)
            self.arguments = (
                *turned, i[0], i[1], i[2], one, a, i[3], b, i[4], start, y, i[5],
            )  # fmt: skip

    @staticmethod
    def at(array: np.ndarray) -> list[np.uint64]:
        """Return the address of each element."""
        start = array.ctypes.data
        return [np.uint64(start + i * array.itemsize) for i in range(array.size)]

    def __call__(self, n_rounds: int) -> None:
        """Compute the product `n_rounds` times."""
        self.blas.use_threads(self.n_threads)
        self.rounds(n_rounds, self.arguments, self.bias, self.y)

    def result(self) -> np.ndarray:
        """Return the result of the last call."""
        return self.y


def looped(function: Any) -> Callable[..., None]:
    """Return a compiled loop around a function that takes addresses."""

    @numba.njit(nogil=True)
    def rounds(n, arguments, bias, y):
        for _ in range(n):
            if bias.size:
                for i in range(y.shape[0]):
                    for j in range(bias.size):
                        y[i, j] = bias[j]
            function(*arguments)

    return rounds
