"""The function that writes a model to a file of the format that its name asks for."""

import os
from collections.abc import Callable
from pathlib import Path

from fastmlp.common.errors import argument, printable
from fastmlp.common.files import write_whole
from fastmlp.export.c_header import c_header
from fastmlp.export.js_module import js_module
from fastmlp.export.network import Network
from fastmlp.export.onnx_file import onnx_bytes

__all__ = ["SUFFIXES", "write"]

SUFFIXES: dict[str, Callable[..., bytes]] = {
    ".onnx": onnx_bytes,
    ".h": c_header,
    ".js": js_module,
}
"""The end of a file's name -> what makes its content from a `Network`."""


def write(
    network: Callable[[], Network], path: str | os.PathLike[str], *, int8: bool = False
) -> None:
    """Write a model to a file that predicts without fastmlp.

    Parameters
    ----------
    network : callable
        Returns what to write; it is called once the name of the file is known to be good.
    path : str or path
        Its end says the format, see `SUFFIXES`.
    int8 : bool, default False
        Whether weights become whole numbers of 8 bits, in a C header. The file says what that
        changes.

    Raises
    ------
    ValueError
        If the end of the name is of no known format.
    OSError
        If the file cannot be written; an existing one is then unchanged.

    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{printable(path)}: models are exported to files that end in "
            f"{', '.join(SUFFIXES)}: choose one of these names"
        )
    if int8 and suffix != ".h":
        raise ValueError(
            f"{printable(path)}: {argument('int8')} is for C headers: name a file that ends in .h"
        )
    if suffix == ".h":
        content = c_header(network(), Path(path).name, int8)
    else:
        content = SUFFIXES[suffix](network())
    write_whole(path, content)
