"""The two vectors of a normalisation, gamma and beta, which are adjacent in theta."""

from ..machine.jit import inner
from ..machine.simd import array_at, part
from ..plan import op
from .core import Shape

__all__ = ["norm_pieces", "scale_and_shift"]


@inner
def scale_and_shift(memory, zero, operation):
    """Return gamma and beta."""
    theta, n = array_at(memory, op.THETA, zero), operation[op.N_OUT]
    return part(theta, operation[op.WEIGHT], n), part(theta, operation[op.BIAS], n)


def norm_pieces(shape: Shape, gamma: int, beta: int) -> list[tuple[int, int, int, int]]:
    """Return one piece for both vectors."""
    vectors = int(op.UNIT_VECTORS)
    return [(vectors, vectors, gamma, beta + shape.n_out - gamma)]
