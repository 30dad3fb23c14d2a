"""Arguments of kernels: rows of their tables, and blocks of matrices."""

# Kernels have no types, and pyright does not find them under the name that they are installed by.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportMissingImports=false

from typing import Any

import numpy as np

import fastmlp.kernels as kernels

__all__ = ["row_of", "whole"]


def row_of(kind: Any, name: str) -> Any:
    """Return the row of that name in the table of a kind of kernels, such as ``kernels.losses``."""
    return kind.TABLE[kind.CODES[name]]


def whole(matrix: np.ndarray) -> Any:
    """Return the block that is the whole of a matrix."""
    return kernels.machine.links.Block(0, matrix.shape[0], 0, matrix.shape[1])
