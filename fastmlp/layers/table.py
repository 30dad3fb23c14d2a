"""The printed table of a model's layers."""

from collections.abc import Sequence

from fastmlp.layers.base import Layer
from fastmlp.layers.custom import Custom

__all__ = ["table"]


def table(layers: Sequence[Layer], sizes: Sequence[int]) -> str:
    """Return a table with a line per layer: its outputs and its number of parameters."""
    rows: list[tuple[str, str, str, str]] = [("", "layer", "outputs", "parameters")]
    width: int | None = None
    for index, (layer, size) in enumerate(zip(layers, sizes, strict=True)):
        width = layer.input_width if width is None else width
        if width is not None:
            width = None if isinstance(layer, Custom) else layer.output_width(width)
        rows.append((str(index), repr(layer), "?" if width is None else str(width), f"{size:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{number:>{widths[0]}}  {name:<{widths[1]}}  {outputs:>{widths[2]}}  {size:>{widths[3]}}"
        for number, name, outputs, size in rows
    ]
    return "\n".join([lines[0], "-" * (sum(widths) + 6), *lines[1:]])
