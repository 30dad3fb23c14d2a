"""Pieces of text that the writers of C and JavaScript share."""

import re
from pathlib import Path

from fastmlp.export.blocks import Network
from fastmlp.export.loops import Arrays, Language, loops

__all__ = ["body", "identifier", "indented", "rows_between"]

_BETWEEN = "ab"


def body(network: Network, languages: tuple[Language, Language], arrays: Arrays) -> list[str]:
    """Return the lines that compute the row y from the row x.

    Parameters
    ----------
    network : Network
    languages : tuple of Language
        To write blocks in float32 and in float64.
    arrays : Arrays
        Where the arrays go.

    """
    blocks = network.all_blocks
    lines: list[str] = []
    source = "x"
    for number, block in enumerate(blocks):
        target = "y" if number == len(blocks) - 1 else _BETWEEN[number % 2]
        lines += loops(block, languages[block.double], arrays, source, target)
        source = target
    return lines


def rows_between(network: Network) -> dict[str, int]:
    """Return the names of the rows between two blocks, and the most numbers that each holds."""
    widths = [block.n_out for block in network.all_blocks[:-1]]
    held = {name: widths[place::2] for place, name in enumerate(_BETWEEN)}
    return {name: max(values) for name, values in held.items() if values}


def identifier(path: str | Path) -> str:
    """Return a name for a file's function, from the file's own."""
    name = re.sub(r"[^0-9A-Za-z]+", "_", Path(path).stem).strip("_").lower()
    return name if name[:1].isalpha() else f"model_{name}".rstrip("_")


def indented(lines: list[str]) -> str:
    """Return the lines of a function's body."""
    return "\n".join(f"    {line}" for line in lines)


def description(network: Network, call: str, remark: str = "") -> str:
    """Return what a file says of itself.

    Parameters
    ----------
    network : Network
    call : str
        How its function is called.
    remark : str
        Said last.

    """
    from importlib.metadata import version  # a tenth of the time that all of fastmlp would take

    n_outputs = network.all_blocks[-1].n_out
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
        f"{call} takes a row x of {network.n_inputs} inputs and gives a row y of",
        f"{n_outputs} {what}.",
        remark,
    ]
    return "\n".join(lines).rstrip()
