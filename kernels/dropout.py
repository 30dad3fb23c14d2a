"""Dropout with masks that are computed, not stored.

Bit (row, column) of a mask is a hash of (key, row, column), and the key is a hash of
(seed, step, layer). So the backward pass can recompute the same mask, and any thread can compute
any part of it.
"""

import numpy as np

from .machine.jit import inner, kernel
from .machine.maths import one, zero
from .machine.simd import row_of
from .machine.widths import wide_vectors

__all__ = ["drop", "is_dropped", "mask_key", "row_of_mask", "scale_of", "threshold_of"]


@kernel
def mask_key(seed, step, layer):
    """Hash (seed, step, layer) to the 64-bit key of one mask (SplitMix64, applied three times)."""
    key = _mix64(np.uint64(seed))
    key = _mix64(key ^ np.uint64(step))
    return _mix64(key ^ np.uint64(layer))


@kernel
def drop(x, p, key, block):
    """x[i, j] = x[i, j] / (1 - p) where hash(key, i, j) / 2**32 >= p, else 0, in a block.

    p is in x's dtype, 0 <= p < 1.
    Reads x. Writes x. May destroy nothing else. The gradient is the same function of dL/dy.
    """
    wide_vectors()
    nought, n, column = zero(p), block.column_end - block.column, block.column
    scale, threshold = scale_of(p), threshold_of(p)
    for i in range(block.row, block.row_end):
        values, (base, step) = row_of(x, i, column, n), row_of_mask(key, i, column)
        for j in range(n):
            values[j] = nought if is_dropped(base, step, j, threshold) else values[j] * scale


@inner
def scale_of(p):
    """1 / (1 - p): what is not dropped is multiplied by it."""
    return one(p) / (one(p) - p)


@inner
def threshold_of(p):
    """The smallest hash, of 32 bits, of what is not dropped."""
    return np.uint32(min(np.float64(p) * 4294967296.0, 4294967295.0))


@inner
def row_of_mask(key, i, column):
    """Two numbers from which `is_dropped` computes row i of a mask from a column on."""
    row_key = _mix64(key + np.uint64(i))
    low = np.uint32(row_key)
    high = np.uint32(row_key >> np.uint64(32)) | np.uint32(1)  # odd: no two columns collide
    return np.uint32(np.uint32(column) * high + low), high


@inner
def is_dropped(base, step, j, threshold):
    """Whether the hash of the j-th column from there on is below the threshold."""
    return _mix32(np.uint32(np.uint32(j) * step + base)) < threshold


@inner
def _mix64(x):
    """The output function of SplitMix64 (Steele, Lea and Flood, 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inner
def _mix32(x):
    """The 32-bit hash ``lowbias32`` found by the hash-prospector search (Wellons, 2018)."""
    x = np.uint32(x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = np.uint32(x)
    x = np.uint32(x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    x = np.uint32(x)
    return np.uint32(x ^ (x >> np.uint32(16)))
