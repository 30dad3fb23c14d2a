"""`fastmlp export`: write a saved model as ONNX, C or JavaScript."""

import argparse
from pathlib import Path
from typing import Any

from fastmlp.cli.destinations import check_file, write_file

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
    from fastmlp import saving

    check_file("FILE", arguments.file)
    model = saving.load(arguments.model)
    if not write_file(arguments.file, lambda path: model.export(path, int8=arguments.int8)):
        return 1
    print(f"wrote {arguments.file}")
    return 0
