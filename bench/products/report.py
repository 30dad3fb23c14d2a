"""The tables of single products."""

from collections.abc import Callable
from typing import Any

from bench.products import mean_ratio

__all__ = ["tables"]

NAME = "fastmlp"


def tables(cases: list[dict], new_table: Callable[..., Any]) -> list[Any]:
    """Return a table for each dtype, product and number of threads."""

    kinds = dict.fromkeys((c["dtype"], c["n_threads"], c["product"]) for c in cases)
    return [
        table([c for c in cases if (c["dtype"], c["n_threads"], c["product"]) == kind], new_table)
        for kind in kinds
    ]


def table(cases: list[dict], new_table: Callable[..., Any]) -> Any:
    """Return one table: GFLOP/s of all contenders, and fastmlp's lead over the fastest peer."""
    names = [row["contender"] for row in cases[0]["rows"] if not row["skipped"]]
    peers = [name for name in names if name != NAME]
    n_threads = cases[0]["n_threads"]
    threads = "one thread" if n_threads == 1 else f"{n_threads} threads"
    found = new_table(
        f"{cases[0]['product']}, {cases[0]['dtype']}, {threads}: GFLOP/s (median)",
        "N x D x H", NAME, "of limit", *peers, "fastest peer", "x",
    )  # fmt: skip
    for case in cases:
        rows = {row["contender"]: row for row in case["rows"] if not row["skipped"]}
        found.add_row(
            case["shape"],
            rate(rows[NAME]),
            f"{rows[NAME]['share']:.0%}",
            *[rate(rows[name]) for name in peers],
            case["fastest"] or "",
            f"{case['ratio']:.2f}" if case["ratio"] else "",
        )
    if mean := mean_ratio(cases):
        found.add_row("geometric mean", *[""] * (len(peers) + 3), f"{mean:.2f}")
    return found


def rate(row: dict) -> str:
    """Return GFLOP/s as text, marked if the product is wrong."""
    return f"{row['gflops']:.3g}" + ("" if row["agrees"] else " !")
