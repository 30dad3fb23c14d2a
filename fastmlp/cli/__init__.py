"""The command `fastmlp`: one module per subcommand, each with `add_parser` and `run`.

Only the signal handling is imported here, so that Ctrl-C during the other imports is quiet too.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastmlp.cli import signals

if TYPE_CHECKING:
    from fastmlp.cli.parsing import Parser

__all__ = ["main", "parser"]

_COMMANDS = ("train", "predict", "evaluate", "sweep", "export", "info", "warmup", "bench")
_OPTIONS = ("--help", "--version")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments. Default: ``sys.argv[1:]``; the command then owns the process, and SIGTERM and
        SIGHUP end it like Ctrl-C.

    Returns
    -------
    int
        Exit code: 0 for success, 1 if the loss diverged or a result could not be written, 2 for
        an invalid value, 130 after Ctrl-C.

    """
    if argv is not None:
        return _run(argv)
    signals.take_over()
    try:
        from fastmlp.cli.output import show_warnings_plainly

        show_warnings_plainly()
        return _run(sys.argv[1:])
    finally:
        signals.ignore_all()


def _run(argv: Sequence[str]) -> int:
    from fastmlp.cli.output import open_descriptors, safe_output

    open_descriptors()
    with safe_output() as output:
        code = _answered(argv)
        output.flush()
    return 1 if output.lost and code == 0 else code


def _answered(argv: Sequence[str]) -> int:
    """Run the command; if it fails, say why in one sentence."""
    from fastmlp.cli.wording import FLAGS
    from fastmlp.common.errors import called, printable

    try:
        with called(FLAGS):
            arguments = _parse(argv)
            signals.raise_interrupts()
            return arguments.run(arguments)
    except SystemExit as end:  # argparse: --help, or an error it has already printed
        return end.code if isinstance(end.code, int) else 2
    except KeyboardInterrupt:
        print("fastmlp: interrupted", file=sys.stderr)
        return signals.INTERRUPTED
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.strerror and error.filename else error
        print(f"fastmlp: {printable(told)}", file=sys.stderr)
        return 2
    except (ValueError, TypeError, ImportError) as error:
        print(f"fastmlp: {printable(error)}", file=sys.stderr)
        return 2
    except MemoryError as error:
        told = " ".join(str(error).split())
        print(f"fastmlp: not enough memory{': ' * bool(told)}{told}", file=sys.stderr)
        return 2


def _parse(argv: Sequence[str]) -> Any:
    from fastmlp.common.errors import unknown

    if not argv:
        raise ValueError(f"a command is needed, one of {', '.join(_COMMANDS)}: see fastmlp --help")
    if not argv[0].startswith("-") and argv[0] not in _COMMANDS:
        raise unknown("command", argv[0], _COMMANDS)
    if argv[0].startswith("--") and argv[0] not in _OPTIONS:
        raise unknown("option", argv[0], _OPTIONS)
    return parser().parse_args(argv)


def parser() -> "Parser":
    """Return the parser of the whole command line."""
    from importlib import import_module

    from fastmlp.cli.parsing import Parser

    top = Parser(prog="fastmlp", description="Train multi-layer perceptrons on a CPU, fast.")
    top.add_argument("--version", action="version", version=_version())
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name in _COMMANDS:
        import_module(f"fastmlp.cli.{name}").add_parser(commands)
    return top


def _version() -> str:
    from importlib.metadata import version

    return f"fastmlp {version('fastmlp')}"
