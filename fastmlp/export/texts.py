"""Pieces of text that the writers of C and JavaScript share."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastmlp.common.errors import counted, printable
from fastmlp.export.loops import OPERATIONS, Arrays, Language, Writer
from fastmlp.export.network import Network
from fastmlp.export.shapes import Shapes
from fastmlp.formulas.expressions import written_with

__all__ = ["Body", "description", "identifier", "indented"]


class Body:
    """The lines of a function that computes the row y from the row x.

    Parameters
    ----------
    network : Network
    languages : tuple of Language
        For float32 and for float64.
    arrays : Arrays
        Where the arrays go.
    name : str
        What the files are called in messages.

    Attributes
    ----------
    lines : list of str
    buffers : dict
        Name of a row between x and y -> (how many numbers it holds, whether they are float64).
    n_outputs : int
    gives_double : bool
        Whether the numbers of y are float64.

    """

    def __init__(
        self, network: Network, languages: tuple[Language, Language], arrays: Arrays, name: str
    ):
        root = written_with({*languages[0].functions, *OPERATIONS}, network.root, name)
        shapes = Shapes(root, n_inputs=network.n_inputs, takes_double=network.takes_double)
        written = Writer(root, shapes, languages, arrays)
        self.lines: list[str] = written.lines
        self.buffers: dict[str, tuple[int, bool]] = written.program.buffers
        self.n_outputs: int = shapes.width(root)
        self.gives_double: bool = shapes.is_double(root)

    def helpers(self, texts: Mapping[str, str], prefix: str = "") -> Iterator[str]:
        """Yield the texts of the functions that the lines call."""
        text = "\n".join(self.lines)
        yield from (helper for name, helper in texts.items() if f"{prefix}{name}(" in text)


def identifier(path: str | Path) -> str:
    """Return a name for a file's function, from the file's own."""
    name = re.sub(r"[^0-9A-Za-z]+", "_", Path(path).stem).strip("_").lower()
    return name if name[:1].isalpha() else f"model_{name}".rstrip("_")


def indented(lines: list[str]) -> str:
    """Return the lines of a function's body."""
    return "\n".join(f"    {line}" for line in lines)


def description(
    network: Network, n_outputs: int, call: str, categories: str, remark: str = ""
) -> str:
    """Return what a file says of itself.

    Parameters
    ----------
    network : Network
    n_outputs : int
    call : str
        How its function is called.
    categories : str
        Where the file lists the categories of a column, with {0} for its number.
    remark : str
        Said last.

    """
    from importlib.metadata import version  # a tenth of the time that all of fastmlp would take

    head = network.head
    if head is None or head.classes is None:
        what = "outputs"
    elif head.kind == "multilabel":
        what = "probabilities, one for each label"
    else:
        what = "probabilities, one for each of the classes"
    lines = [
        f"A model written by fastmlp {version('fastmlp')}.",
        "",
        f"{call} takes a row x of {counted(network.n_inputs, 'input')} and gives a row y of",
        f"{n_outputs} {what}.",
        *_inputs(network, categories),
        remark,
    ]
    return "\n".join(lines).rstrip()


def _inputs(network: Network, categories: str) -> Iterator[str]:
    """Yield a line about each column of a table."""
    if not network.columns:
        return
    yield "The inputs are the columns of a table, NaN where a number is missing:"
    for place, column in enumerate(network.columns):
        what = column.holds
        if column.names:
            what = f"the place of its text in {categories.format(place)}, counted from 1; "
            gone = f"{column.unknown} if it is unknown, 0 if it is missing"
            what += gone if column.unknown else "0 if it is unknown or missing"
        yield f"x[{place}] {printable(' '.join(column.name.split()))}: {what}"
