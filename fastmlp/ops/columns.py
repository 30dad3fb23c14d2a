"""Operations on the columns of a table, over whole arrays: x and dy are (N, D)."""

# Kernels have no types, and pyright does not find them under the name that they are installed by.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingImports=false

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.ops.arguments import row_of, whole

__all__ = [
    "embedding",
    "embedding_backward",
    "mix",
    "mix_backward",
    "periodic",
    "periodic_backward",
    "piecewise",
    "piecewise_backward",
    "scale",
    "scale_backward",
]


def scale(x: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return each column times its factor (D,)."""
    y, (n, d) = np.empty_like(x), x.shape
    kernels.cores.scale.scale_columns(x, factors, y, 0, n, d)
    return y


def scale_backward(
    dy: np.ndarray, x: np.ndarray, factors: np.ndarray, dfactors: np.ndarray
) -> np.ndarray:
    """Return dx and overwrite dfactors."""
    kernels.cores.scale.scale_parameters(dy, x, dfactors, 0, x.shape[1], len(x))
    return scale(dy, factors)


def mix(kind: str, x: np.ndarray, mixing: np.ndarray, alpha: float = 0.0) -> np.ndarray:
    """Return x + a (f(x) - x), given the activation f and a (D,)."""
    y = np.empty_like(x)
    row_of(kernels.activations, kind).mix(x.dtype.type(alpha), x, mixing, y, whole(x))
    return y


def mix_backward(
    kind: str,
    dy: np.ndarray,
    x: np.ndarray,
    mixing: np.ndarray,
    dmixing: np.ndarray,
    alpha: float = 0.0,
) -> np.ndarray:
    """Return dx and overwrite dmixing."""
    slopes, dx, real = np.empty_like(x), np.empty_like(x), x.dtype.type
    keep = row_of(kernels.activations, kind).mix_and_keep
    keep(real(alpha), x, mixing, np.empty_like(x), slopes, dx, real(0), np.uint64(0), whole(x))
    kernels.cores.parametric.unmix(dy, slopes, dx, dmixing, 0, whole(x))
    return dx


def embedding(x: np.ndarray, table: np.ndarray, n_codes: int) -> np.ndarray:
    """Return x with rows of the table (R, W) in place of its last n_codes columns."""
    (n, d), (n_values, width) = x.shape, table.shape
    n_plain = d - n_codes
    y = np.empty((n, n_plain + n_codes * width), x.dtype)
    kernels.cores.embedding.embed(x, table, y, n_values, width, n_plain, n_codes, 0, n)
    return y


def embedding_backward(
    dy: np.ndarray, x: np.ndarray, dtable: np.ndarray, n_codes: int
) -> np.ndarray:
    """Return dx, which is 0 for codes, and overwrite dtable."""
    dx, (n, d), (n_values, width) = np.empty_like(x), x.shape, dtable.shape
    kernels.cores.embedding.embed_parameters(
        dy, x, dtable.reshape(-1), 0, n_values, n_values, width, d - n_codes, n_codes, n
    )
    kernels.cores.embedding.embed_backward(dy, dx, d - n_codes, d, 0, n)
    return dx


def periodic(x: np.ndarray, weight: np.ndarray, n_waves: int, n_made: int) -> np.ndarray:
    """Return x with the periodic embeddings of its first columns, one for each row of weight."""
    (n, d), n_numbers = x.shape, len(weight)
    scratch = np.empty(kernels.cores.periodic.scratch_size(n_made), x.dtype)
    y = np.empty((n, d + n_numbers * n_made), x.dtype)
    kernels.cores.periodic.periodic(x, weight, y, scratch, d, n_numbers, n_waves, n_made, 0, n)
    return y


def periodic_backward(
    dy: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    dweight: np.ndarray,
    n_waves: int,
    n_made: int,
) -> np.ndarray:
    """Return dx and overwrite dweight."""
    dx, (n, d), n_numbers = np.empty_like(x), x.shape, len(weight)
    scratch = np.empty(kernels.cores.periodic.scratch_size(n_made), x.dtype)
    kernels.cores.periodic.periodic_parameters(
        dy, x, weight, dweight.reshape(-1), scratch, 0, n_numbers, n_numbers, n_waves, n_made, n
    )
    kernels.cores.periodic.periodic_backward(
        dy, x, weight, dx, scratch, d, n_numbers, n_waves, n_made, 0, n
    )
    return dx


def piecewise(x: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return x with the piecewise-linear embeddings of its first columns.

    weight has a row [w0, b0, W] for each of them, edges one of the n_bins + 1 edges.
    """
    (n, d), (n_numbers, n_edges) = x.shape, edges.shape
    width = weight.shape[1] // (n_edges + 1)
    y = np.empty((n, d + n_numbers * (width - 1)), x.dtype)
    kernels.cores.piecewise.piecewise(x, weight, edges, y, d, n_numbers, n_edges - 1, width, 0, n)
    return y


def piecewise_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, edges: np.ndarray, dweight: np.ndarray
) -> np.ndarray:
    """Return dx and overwrite dweight."""
    dx, (n, d), (n_numbers, n_edges) = np.empty_like(x), x.shape, edges.shape
    width, n_bins = weight.shape[1] // (n_edges + 1), n_edges - 1
    kernels.cores.piecewise.piecewise_parameters(
        dy, x, edges, dweight.reshape(-1), 0, n_numbers, n_bins, width, n
    )
    kernels.cores.piecewise.piecewise_backward(
        dy, x, weight, edges, dx, d, n_numbers, n_bins, width, 0, n
    )
    return dx
