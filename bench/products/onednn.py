"""The products of oneDNN in float32, called from Python through PyTorch's linear operator."""

# Peers are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

from typing import Any

import numpy as np

from bench.peers import missing

__all__ = ["NAME", "OnednnProduct", "available"]

NAME = "onednn"


def available(dtype: str) -> str | None:
    """Return None, or why oneDNN cannot run here."""
    if reason := missing("torch"):
        return reason
    import torch

    if not torch.backends.mkldnn.is_available() or operator() is None:
        return "PyTorch does not include oneDNN here"
    return None if dtype == "float32" else f"oneDNN has no products of {dtype}"


def operator() -> Any:
    """Return PyTorch's oneDNN operator ``linear(x, weight (H, D), bias, ...)``, or None."""
    import torch

    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


class OnednnProduct:
    """One product of oneDNN; parameters as in `bench.products.blas.BlasProduct`."""

    def __init__(
        self,
        product: str,
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray,
        dz: np.ndarray,
        n_threads: int,
    ):
        import torch

        self.torch, self.n_threads = torch, n_threads
        tensor = torch.from_numpy
        if product == "forward":  # PyTorch's own layers hold the weight as (H, D)
            self.factors = tensor(x), tensor(np.ascontiguousarray(weight.T)), tensor(bias)
        elif product == "backward":
            self.factors = tensor(dz), tensor(weight), None
        else:
            self.factors = tensor(x).T, tensor(dz).T, None
        self.linear = operator()
        self.y = None

    def __call__(self, n_rounds: int) -> None:
        """Compute the product `n_rounds` times."""
        self.torch.set_num_threads(self.n_threads)
        linear, (x, weight, bias), y = self.linear, self.factors, None
        for _ in range(n_rounds):
            y = linear(x, weight, bias, "none", [], "")
        self.y = y

    def result(self) -> np.ndarray:
        """Return the result of the last call."""
        assert self.y is not None
        return self.y.numpy()
