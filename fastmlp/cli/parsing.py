"""A command line parser that reports every error in one sentence, and parsers for values."""

import argparse
import csv
import io
import math
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from fastmlp.common.errors import nearest, printable, unknown
from fastmlp.datasets.encoding import codec_of

__all__ = [
    "Parser",
    "encoding",
    "epochs_or_seconds",
    "fraction",
    "hidden_sizes",
    "name_of",
    "names",
    "number",
    "one_character",
    "typed_text",
    "value_text",
    "whole_number",
]


class _Help(argparse.HelpFormatter):
    """argparse's help, with names such as realmlp-td-s in one piece."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """argparse's parser, with one-line errors that suggest the nearest name for an unknown one.

    Attributes
    ----------
    instead : dict of str to str
        Options of other commands -> what this one has in their place.

    """

    def __init__(self, **options: Any):
        super().__init__(allow_abbrev=False, formatter_class=_Help, **options)
        self.instead: dict[str, str] = {}

    def error(self, message: str) -> NoReturn:
        """Write one sentence to standard error and exit with code 2."""
        expected = re.fullmatch(r"argument (--\S+): expected one argument", message)
        if expected:
            message += f"; write a value that begins with a minus sign as {expected[1]}=VALUE"
        print(f"{self.prog}: {printable(message)}", file=sys.stderr)
        raise SystemExit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and reject unknown options here, where the known ones can be suggested."""
        parsed, extra = super().parse_known_args(args, namespace)
        options = [text for text in extra if text.startswith("--")]
        if options:
            option = options[0].partition("=")[0]
            if option in self.instead:
                self.error(f"there is no {option}: {self.instead[option]}")
            self.error(f"unknown option {option!r}: {self._near(option)}")
        if extra:
            self.error(f"unexpected argument {extra[0]!r}: see {self.prog} --help")
        return parsed, extra

    def _near(self, option: str) -> str:
        """Return what to use instead of an unknown option; a command may have dozens."""
        near = nearest("option", option, list(self._option_string_actions))
        return f"did you mean {near!r}?" if near else f"see {self.prog} --help"


def name_of(kind: str, known: Iterable[str]) -> Callable[[str], str]:
    """Return a parser that accepts only the known names.

    Parameters
    ----------
    kind : str
        What error messages call such a name: ``"optimizer"``.
    known : iterable of str
        The names. Case is ignored, and ``-`` is the same as ``_``.

    """
    names = list(known)

    def parse(text: str) -> str:
        for name in names:
            if text.lower().replace("_", "-") == name.replace("_", "-"):
                return name
        raise argparse.ArgumentTypeError(str(unknown(kind, text, names)))

    return parse


def epochs_or_seconds(text: str) -> str | float:
    """Return seconds as a number, anything else as it is; `fastmlp.Checkpoint` checks both."""
    try:
        return float(text)
    except ValueError:
        return text


def whole_number(least: int) -> Callable[[str], int]:
    """Return a parser for a whole number, ``least`` or more."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"expected a whole number, {least} or more, got {text!r}"
            )
        return value

    return parse


def number(least: float = 0.0, *, above: bool = False) -> Callable[[str], float]:
    """Return a parser for a finite number, at least (or above) ``least``."""

    def parse(text: str) -> float:
        value = _float(text)
        if not math.isfinite(value) or value < least or (above and value == least):
            bound = f"above {least:g}" if above else f"{least:g} or more"
            raise argparse.ArgumentTypeError(f"expected a number {bound}, got {text!r}")
        return value

    return parse


def fraction(text: str) -> float:
    """Parse a number >= 0 and < 1."""
    value = _float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {text!r}")
    return value


def hidden_sizes(text: str) -> tuple[int, ...]:
    """Parse ``256,128``; an empty text or ``none`` means no hidden layer."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(
            f"expected the units of each hidden layer as whole numbers separated by commas, "
            f"such as 256,128, got {text!r}"
        )
    return sizes


def names(text: str) -> list[str]:
    """Parse names separated by commas; a name that contains a comma is quoted."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def one_character(text: str) -> str:
    """Parse a single character, or the word ``tab``."""
    found = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    if len(found) != 1:
        raise argparse.ArgumentTypeError(
            f"expected one character, such as ; or |, or tab, got {text!r}"
        )
    return found


def encoding(text: str) -> str:
    """Parse the name of an encoding."""
    try:
        codec_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def value_text(value: Any) -> str:
    """Format a value as a user would type it; switches are on or off."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def typed_text(value: Any) -> str:
    """Return a value as a user would have to type it: exactly, names with commas in quotes."""
    if isinstance(value, list):
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(value)
        return out.getvalue()
    return repr(value) if isinstance(value, float) else value_text(value)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
