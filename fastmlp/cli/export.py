"""`fastmlp export`: write a saved model as ONNX, C or JavaScript."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fastmlp.cli.destinations import check_file, write_file
from fastmlp.storage.model_file import TABLE_FORMAT, format_of

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("export", help="write a saved model as ONNX, C or JavaScript")
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help="file written by train --out, or by model.save"
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="file to write, ending in .onnx, .h or .js",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="weights of 8 bits in a C header, about a third as large",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file, and print its size; 1 if it cannot be written."""
    check_file("FILE", arguments.file)
    export = _exporter(arguments.model)
    if not write_file(arguments.file, lambda path: export(path, int8=arguments.int8)):
        return 1
    print(f"wrote {arguments.file}")
    return 0


def _exporter(path: Path) -> Callable[..., None]:
    """Return what writes the model in a file; that of a table does not need scikit-learn."""
    if format_of(path) != TABLE_FORMAT:
        from fastmlp import saving

        return saving.load(path).export
    from fastmlp.export import write
    from fastmlp.tabular import storage
    from fastmlp.tabular.exporting import network_of

    model = storage.load(path)
    return partial(write, lambda: network_of(model))
