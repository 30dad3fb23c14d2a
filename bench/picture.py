"""Plots of a side-by-side run: bars for workloads, lines for sweeps."""

from typing import Any

__all__ = ["draw"]

COLOURS = {
    "fastmlp": "#b2182b",
    "fastmlp-high": "#d6604d",
    "fastmlp-medium": "#f4a582",
    "torch": "#8073ac",
    "torch-medium": "#b2abd2",
    "torch-compile": "#542788",
    "jax": "#2166ac",
    "jax-bf16": "#92c5de",
    "sklearn": "#e08214",
    "sklearn-f64": "#fdb863",
    "onnxruntime": "#1b7837",
    "numpy": "#878787",
}


def draw(content: dict, path: str) -> None:
    """Draw one panel for the workloads, one for predictions and one for each sweep."""
    from matplotlib.figure import Figure

    panels = {}
    for result in content["results"]:
        panels.setdefault(result["part"], []).append(result)
    if not panels:
        return
    # Without pyplot, no display is needed and no open figure is affected.
    figure = Figure(figsize=(12, 4.6 * len(panels)), layout="constrained")
    for axes, (part, results) in zip(
        figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True
    ):
        if part.endswith("-sweep"):
            draw_sweep(axes, part, results)
        else:
            draw_bars(axes, part, results)
        axes.set_yscale("log")
        axes.set_axisbelow(True)
        axes.grid(axis="y", alpha=0.3, which="both", linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    machine = content["machine"]
    figure.suptitle(f"{machine['processor']}, {machine['threads']} threads; lower is better")
    figure.savefig(path, dpi=120)


def draw_bars(axes: Any, part: str, results: list[dict]) -> None:
    """Draw a group of bars for each workload, with its float32 limit as a line across them."""
    names = contenders(results)
    width = 0.85 / len(names)
    for k, name in enumerate(names):
        found = [(i, r) for i, rows in enumerate(map(by_name, results)) if (r := rows.get(name))]
        at = [i + (k - (len(names) - 1) / 2) * width for i, _ in found]
        middles = [r["median"] for _, r in found]
        spread = [
            [r["median"] - r["low"] for _, r in found],
            [r["high"] - r["median"] for _, r in found],
        ]
        axes.bar(at, middles, width, label=name, color=COLOURS.get(name))
        axes.errorbar(at, middles, spread, fmt="none", ecolor="black", elinewidth=0.6)
    for i, result in enumerate(results):
        if result["limit"]:
            label = "limit of the machine, float32" if i == 0 else None
            axes.hlines(result["limit"], i - 0.45, i + 0.45, "black", "dashed", label=label)
    if part == "training":
        labels = [f"{r['workload']}\n{shape(r)}\nbatch {r['batch_size']:,}" for r in results]
        axes.set_ylabel(f"µs per training step ({results[0]['optimizer']})")
    else:
        labels = [f"{shape(r)}\n{r['n_rows']:,} rows" for r in results]
        axes.set_ylabel("µs per prediction")
    axes.set_xticks(range(len(results)), labels)
    axes.legend(ncols=6, fontsize="small", frameon=False, loc="lower center",
                bbox_to_anchor=(0.5, 1.0))  # fmt: skip


def draw_sweep(axes: Any, part: str, results: list[dict]) -> None:
    """Draw a line for each contender against the batch size or the width."""
    points = [int(r["workload"].split("-")[1]) for r in results]
    for name in contenders(results):
        found = [(x, r) for x, rows in zip(points, map(by_name, results), strict=True)
                 if (r := rows.get(name))]  # fmt: skip
        axes.plot([x for x, _ in found], [r["median"] for _, r in found], "o-", label=name,
                  color=COLOURS.get(name))  # fmt: skip
    axes.plot(points, [r["limit"] for r in results], "k--", label="limit of the machine, float32")
    axes.set_xscale("log", base=2)
    axes.set_xticks(points, map(str, points))
    sweep = "batch size, 784-128-10" if part == "batch-sweep" else "width H, 784-H-H-10, batch 128"
    axes.set_xlabel(sweep)
    axes.set_ylabel(f"µs per training step ({results[0]['optimizer']})")
    axes.legend(fontsize="small", frameon=False)


def contenders(results: list[dict]) -> list[str]:
    """Return the names of all measured contenders, in order of appearance."""
    return list(dict.fromkeys(name for result in results for name in by_name(result)))


def by_name(result: dict) -> dict[str, dict]:
    """Return a result's measured rows by contender."""
    return {r["contender"]: r for r in result["rows"] if not r["skipped"]}


def shape(result: dict) -> str:
    """Return a network's widths as text, with runs of equal ones as a product."""
    widths, parts = list(result["widths"]), []
    while widths:
        n = next((i for i, w in enumerate(widths) if w != widths[0]), len(widths))
        parts.append(f"{widths[0]}" if n == 1 else f"{n}*{widths[0]}")
        widths = widths[n:]
    return "-".join(parts)
