"""The address of an array's memory, which kernels are given."""

from ctypes import addressof, c_char
from typing import Any

import numpy as np

__all__ = ["address_of"]

_NO_BYTES = c_char * 0


def address_of(array: np.ndarray) -> int:
    """Return the address of an array's first byte.

    A writeable, row-major array takes a tenth of the time that numpy's own ways take, which build
    a description of the array first.
    """
    memory: Any = array
    try:
        return addressof(_NO_BYTES.from_buffer(memory))
    except TypeError:
        return array.__array_interface__["data"][0]
