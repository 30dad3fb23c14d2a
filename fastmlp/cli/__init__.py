"""The command `fastmlp`: one module a subcommand, each with `add_parser` and `run`."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from fastmlp.cli.parsing import Parser
from fastmlp.errors import unknown

__all__ = ["main", "parser"]

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended

_COMMANDS = ("train", "sweep", "info", "warmup", "bench")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; default ``sys.argv[1:]``.

    Returns
    -------
    int
        Exit code: 0 for success, 1 if the loss diverged or a result could not be written, 2 for a
        bad value, 130 after Ctrl-C.

    """
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        code = arguments.run(arguments)
        sys.stdout.flush()
    except SystemExit as end:  # argparse: --help, or an error that it has told
        return end.code if isinstance(end.code, int) else 2
    except KeyboardInterrupt:
        print("fastmlp: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left: nothing to say, nobody to hear it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.strerror and error.filename else error
        print(f"fastmlp: {told}", file=sys.stderr)
        return 2
    except (ValueError, TypeError, ImportError) as error:
        print(f"fastmlp: {error}", file=sys.stderr)
        return 2
    return code


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    if argv and not argv[0].startswith("-") and argv[0] not in _COMMANDS:
        raise unknown("command", argv[0], _COMMANDS)
    return parser().parse_args(argv)


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = Parser(prog="fastmlp", description="Train multi-layer perceptrons on a CPU, fast.")
    top.add_argument("--version", action="version", version=_version())
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name in _COMMANDS:
        import_module(f"fastmlp.cli.{name}").add_parser(commands)
    return top


def _version() -> str:
    from importlib.metadata import version

    return f"fastmlp {version('fastmlp')}"
