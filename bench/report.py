"""The JSON document and the tables of a side-by-side run."""

from statistics import median
from typing import TYPE_CHECKING, Any

from bench.limits import Limits, step_limit
from bench.peers import OURS

if TYPE_CHECKING:
    from bench.children import Measurement
    from bench.side_by_side import Result

__all__ = ["document", "markdown", "show"]


def document(machine: dict, limits: Limits, results: "list[Result]", compiling: list[dict]) -> dict:
    """Return all that was measured as one JSON object.

    Every row of ``results`` holds microseconds a step (or a prediction): ``median``, ``low``
    and ``high`` of the rounds, ``samples``; ``ratio``: how many times as long as fastmlp, the
    median over the rounds; ``share``: of the machine's limit.
    """
    return {
        "machine": machine,
        "limits": limits.as_dict(),
        "results": [
            {
                "part": result.part,
                "workload": result.work.name,
                "optimizer": result.work.optimizer,
                "widths": result.work.widths,
                "batch_size": result.work.batch_size,
                "n_rows": result.n_rows,
                "limit": limit_of(result, limits, "float32"),
                "rows": [row(m, result, limits) for m in result.measurements],
            }
            for result in results
        ],
        "compiling": compiling,
    }


def row(measurement: "Measurement", result: "Result", limits: Limits) -> dict[str, Any]:
    """Return what was measured of one contender."""
    fields: dict[str, Any] = {"contender": measurement.contender, **measurement.description}
    if fields["skipped"]:
        return fields
    samples = [s / result.steps * 1e6 for s in measurement.seconds]
    middle = median(samples)
    limit = limit_of(result, limits, fields["precision"])
    return fields | {
        "samples": samples,
        "median": middle,
        "low": min(samples),
        "high": max(samples),
        "ratio": median(measurement.ratios) if measurement.ratios else None,
        "share": limit / middle if limit else None,
        "agrees": measurement.contender not in result.disagreeing,
        **measurement.end,
    }


def limit_of(result: "Result", limits: Limits, precision: str) -> float | None:
    """Return the microseconds below which no step gets; None for predictions."""
    return None if result.n_rows is not None else step_limit(result.work, limits, precision) * 1e6


def show(content: dict) -> None:
    """Print the tables."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 120  # a table cut to the width of no terminal would be unreadable
    for line in heading(content):
        console.print(line, highlight=False)
    for table in tables(content):
        console.print(table)
    for line in remarks(content["results"]):
        console.print(line, highlight=False)


def markdown(content: dict) -> str:
    """Return the same as Markdown, for docs/performance.md."""
    from rich import box
    from rich.console import Console

    console = Console(width=250, color_system=None)
    lines = [*heading(content), ""]
    for table in tables(content):
        lines += [f"**{table.title}**", ""]
        table.title, table.min_width, table.box = None, None, box.MARKDOWN
        with console.capture() as capture:
            console.print(table)
        lines += [*filter(str.strip, capture.get().splitlines()), ""]
    return "\n".join([*lines, *remarks(content["results"])]).rstrip() + "\n"


def tables(content: dict) -> list[Any]:
    """Return all tables in the order of the report."""
    trainings = [r for r in content["results"] if r["n_rows"] is None]
    predictions = [r for r in content["results"] if r["n_rows"] is not None]
    found = [training_table(result) for result in trainings]
    if trainings:
        found += summary_tables(trainings)
    if predictions:
        found.append(inference_table(predictions))
    if content["compiling"]:
        found.append(compile_table(content["compiling"]))
    return found


def heading(content: dict) -> list[str]:
    """Return the lines about the machine and its limits."""
    machine, limits = content["machine"], content["limits"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rates = [f"float32 {limits['float32_one']:.0f} / {limits['float32_all']:.0f} GFLOP/s"]
    if limits["bfloat16_all"]:
        rates += [f"bfloat16 {limits['bfloat16_one']:.0f} / {limits['bfloat16_all']:.0f} GFLOP/s"]
    widths = ", ".join(f"{rate:.0f} at {size}" for size, rate in limits["bandwidth"].items())
    return [
        f"{machine['processor']}, {machine['threads']} threads, load {machine['load']:.1f}, "
        f"{machine['system']}, Python {machine['python']}",
        versions,
        f"limits, one core / all: {', '.join(rates)}; triad GB/s: {widths}",
    ]


def training_table(result: dict) -> Any:
    """Return one workload's table."""
    widths = "-".join(map(str, result["widths"]))
    table = new_table(
        f"{result['workload']}: {widths}, batch {result['batch_size']}, {result['optimizer']}; "
        f"limit {result['limit']:,.0f} µs float32",
        "contender", "products", "threads", "µs a step", "spread", "x fastmlp", "of limit",
        "MB", "loss",
    )  # fmt: skip
    for r in result["rows"]:
        if r["skipped"]:
            continue
        table.add_row(
            r["contender"],
            r["precision"],
            str(r["n_threads"] or ""),
            figure(r["median"]),
            f"{figure(r['low'])} to {figure(r['high'])}",
            times(r["ratio"]),
            f"{r['share']:.0%}",
            f"{r['peak_bytes'] / 2**20:,.0f}" if r.get("peak_bytes") else "",
            losses(r),
        )
    return table


def losses(r: dict) -> str:
    """Return the cell of the losses before and after the first epoch, marked if it disagrees."""
    if "loss_after" not in r:
        return ""
    mark = "" if r["agrees"] else " !"
    return f"{r['loss_before']:.3f} > {r['loss_after']:.3f}{mark}"


def summary_tables(trainings: list[dict]) -> list[Any]:
    """Return how far fastmlp is ahead of the fastest float32 peer, and of the fastest of all."""
    exact = new_table(
        "against the fastest float32 peer, µs a step",
        "workload", "peer", "µs", "fastmlp", "x", "fastmlp-high", "x",
    )  # fmt: skip
    every = new_table(
        "against the fastest peer at any precision, µs a step",
        "workload", "peer", "µs", "fastmlp-medium", "x",
    )  # fmt: skip
    for result in trainings:
        rows = [r for r in result["rows"] if not r["skipped"]]
        ours = {r["contender"]: r["median"] for r in rows if r["contender"] in OURS}
        peers = [r for r in rows if r["contender"] not in OURS]
        float32 = [r for r in peers if r["precision"] == "float32"]
        exact.add_row(result["workload"], *against(float32, ours, "fastmlp", "fastmlp-high"))
        every.add_row(result["workload"], *against(peers, ours, "fastmlp-medium"))
    measured = [r for result in trainings for r in result["rows"] if not r["skipped"]]
    precisions = {r["precision"] for r in measured}
    return [exact, every] if "bfloat16" in precisions else [exact]


def against(peers: list[dict], ours: dict[str, float], *names: str) -> list[str]:
    """Return the cells: the fastest peer, its time, and our times and the ratios to them."""
    peer = min(peers, key=lambda r: r["median"], default=None)
    cells = [peer["contender"], figure(peer["median"])] if peer else ["", ""]
    for name in names:
        mine = ours.get(name)
        cells.append(figure(mine) if mine else "")
        cells.append(times(peer["median"] / mine) if peer and mine else "")
    return cells


def inference_table(predictions: list[dict]) -> Any:
    """Return the table of predictions, a line for each contender."""
    counts = [f"{r['n_rows']:,} rows" for r in predictions]
    headers = [text for count in counts for text in (count, "x fastmlp")]
    widths = "-".join(map(str, predictions[0]["widths"]))
    table = new_table(f"inference, {widths}: µs a call (median)", "contender", *headers)
    for contender in [r["contender"] for r in predictions[0]["rows"]]:
        cells = []
        for result in predictions:
            r = next(r for r in result["rows"] if r["contender"] == contender)
            cells += ["", ""] if r["skipped"] else [figure(r["median"]), times(r["ratio"])]
        if any(cells):
            table.add_row(contender, *cells)
    return table


def compile_table(compiling: list[dict]) -> Any:
    """Return the table of compile times."""
    table = new_table("seconds of compiling before the first step", "contender", "cold", "warm")
    for r in compiling:
        if not r["skipped"]:
            table.add_row(r["contender"], f"{r['cold']:.1f}", f"{r['warm']:.1f}")
    return table


def remarks(results: list[dict]) -> list[str]:
    """Return a line for each contender that was skipped, failed, or learned something else."""
    lines = []
    for result in results:
        for r in result["rows"]:
            if r["skipped"]:
                lines.append(f"skipped {r['contender']}: {r['skipped']}")
            elif not r["agrees"]:
                lines.append(
                    f"{result['workload']}: {r['contender']} did not learn what the others did; "
                    "its time means nothing"
                )
    return list(dict.fromkeys(lines))


def new_table(title: str, *headers: str) -> Any:
    """Return an empty table whose first column is text and whose others are figures."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.min_width = len(title)  # or else a title wraps over a narrow table
    for i, header in enumerate(headers):
        text = i == 0 or "peer" in header or header == "products"
        table.add_column(header, justify="left" if text else "right", no_wrap=True)
    return table


def figure(microseconds: float) -> str:
    """Return a time with three digits that count."""
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.3g}"


def times(ratio: float | None) -> str:
    """Return a ratio with a sensible number of digits."""
    return "" if ratio is None else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"
