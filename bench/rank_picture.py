"""A picture of mean ranks: methods within a critical difference are joined by a bar."""

from pathlib import Path

from bench.ranks import Ranks

__all__ = ["draw"]

OURS, THEIRS = "#b2182b", "#555555"


def draw(ranks: Ranks, path: Path) -> None:
    """Write the picture to a file; its ending decides the format."""
    from matplotlib.figure import Figure

    from bench.table_methods import METHODS, fastmlp

    groups = ranks.groups()
    k = len(ranks.methods)
    # Without pyplot, no display is needed and no open figure is affected.
    figure = Figure(figsize=(8, 0.32 * k + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, (name, mean) in enumerate(zip(ranks.methods, ranks.means, strict=True)):
        known = METHODS.get(name)
        colour = OURS if known is not None and known.fit is fastmlp else THEIRS
        axes.plot([1, mean], [place, place], color=colour, linewidth=0.6, alpha=0.5)
        axes.plot(mean, place, "o", color=colour)
    for number, (first, last) in enumerate(groups):
        x = k + 0.35 + 0.25 * number
        axes.plot([x, x], [first - 0.2, last + 0.2], color="black", linewidth=3)
    axes.set_yticks(range(k), ranks.methods)
    axes.set_ylim(k - 0.5, -0.5)
    axes.set_xlim(1, k + 0.6 + 0.25 * len(groups))
    axes.set_xticks(range(1, k + 1))
    axes.set_xlabel(
        f"mean rank of the errors on {ranks.n_tables} tables, lower is better; methods along one "
        f"black bar\ndiffer by less than the critical difference "
        f"{ranks.critical_difference:.2f} (Nemenyi, level 0.05)"
    )
    axes.grid(axis="x", alpha=0.3, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
