"""The JSON document and the tables of a side-by-side run."""

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.limits import Limits, step_limit
from bench.peers import OURS
from bench.products import ProductResult
from bench.products.report import tables as product_tables

if TYPE_CHECKING:
    from bench.children import Measurement
    from bench.side_by_side import Result

__all__ = ["Found", "document", "markdown", "show"]


@dataclass
class Found:
    """The results of a run so far.

    Attributes
    ----------
    machine : dict
        From `bench.machine`.
    level : str
        The instruction set that all contenders are limited to.
    peaks : Limits
        The machine's limits with that instruction set.
    results : list of Result
        Training and predictions.
    products : list of ProductResult
    compiling : list of dict
    evidence : dict
        What each contender reported about its instructions: lists of `bench.evidence.Evidence`.

    """

    machine: dict
    level: str
    peaks: Limits = field(init=False)
    results: "list[Result]" = field(default_factory=list)
    products: "list[ProductResult]" = field(default_factory=list)
    compiling: list[dict] = field(default_factory=list)
    evidence: dict[str, list] = field(default_factory=dict)

    def add(self, measured: "Result | ProductResult | dict") -> None:
        """Add the measurements of a job, and the evidence in them."""
        if isinstance(measured, dict):
            self.compiling.append(measured)
        elif isinstance(measured, ProductResult):
            self.products.append(measured)
            self.hear("products", measured.instructions)
        else:
            self.results.append(measured)
            for m in measured.measurements:
                self.hear(m.contender, m.end.pop("instructions", []))

    def hear(self, contender: str, evidence: list) -> None:
        """Store what a contender reported, without duplicates."""
        known = self.evidence.setdefault(contender, [])
        known += [words for words in evidence if words not in known]


def document(found: Found) -> dict:
    """Return all measurements as one JSON object.

    Each row of ``results`` holds the microseconds per step (or prediction): ``median``, ``low`` and
    ``high`` over the rounds, and ``samples``; ``ratio``, the median over the rounds of its time
    divided by fastmlp's; and ``share``, the share of the machine's limit that it reaches.
    ``products`` is described in `bench.products`. ``instructions`` holds, for each contender, what
    each of its libraries reported about its instructions, and whether it stayed within the
    requested level (None: unknown).
    """
    limits = found.peaks
    return {
        "machine": found.machine,
        "isa": found.level,
        "instructions": {
            contender: [
                {"library": library, "says": says, "held": held} for library, says, held in e
            ]
            for contender, e in found.evidence.items()
        },
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
            for result in found.results
        ],
        "products": [case for result in found.products for case in result.described(limits)],
        "compiling": found.compiling,
    }


def row(measurement: "Measurement", result: "Result", limits: Limits) -> dict[str, Any]:
    """Return the row for one contender."""
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
    """Return the lower limit on a step's time in microseconds; None for predictions."""
    return None if result.n_rows is not None else step_limit(result.work, limits, precision) * 1e6


def show(content: dict) -> None:
    """Print the tables."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 120  # without a terminal, the default width would truncate tables
    for line in heading(content):
        console.print(line, highlight=False)
    for table in tables(content):
        console.print(table)
    for line in remarks(content):
        console.print(line, highlight=False)


def markdown(content: dict) -> str:
    """Return the tables as Markdown, for docs/performance.md."""
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
    return "\n".join([*lines, *remarks(content)]).rstrip() + "\n"


def tables(content: dict) -> list[Any]:
    """Return all tables in the order of the report."""
    trainings = [r for r in content["results"] if r["n_rows"] is None]
    predictions = [r for r in content["results"] if r["n_rows"] is not None]
    found = [training_table(result) for result in trainings]
    if trainings:
        found += summary_tables(trainings)
    if predictions:
        found.append(inference_table(predictions))
    found += product_tables(content["products"], new_table)
    if content["compiling"]:
        found.append(compile_table(content["compiling"]))
    return [*found, instruction_table(content)]


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
        f"instructions: {content['isa']}, for every contender (see below for what each reports)",
        f"limits, one core / all: {', '.join(rates)}; triad GB/s: {widths}",
    ]


def training_table(result: dict) -> Any:
    """Return the table of one workload."""
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
    """Return the losses before and after the first epoch, marked if they disagree with others."""
    if "loss_after" not in r:
        return ""
    mark = "" if r["agrees"] else " !"
    return f"{r['loss_before']:.3f} > {r['loss_after']:.3f}{mark}"


def summary_tables(trainings: list[dict]) -> list[Any]:
    """Return tables that compare fastmlp with the fastest float32 peer and the fastest of all."""
    exact = new_table(
        "against the fastest float32 peer, µs per step",
        "workload", "peer", "µs", "fastmlp", "x", "fastmlp-high", "x",
    )  # fmt: skip
    every = new_table(
        "against the fastest peer at any precision, µs per step",
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
    """Return the cells: the fastest peer, its time, and fastmlp's times and ratios to it."""
    peer = min(peers, key=lambda r: r["median"], default=None)
    cells = [peer["contender"], figure(peer["median"])] if peer else ["", ""]
    for name in names:
        mine = ours.get(name)
        cells.append(figure(mine) if mine else "")
        cells.append(times(peer["median"] / mine) if peer and mine else "")
    return cells


def inference_table(predictions: list[dict]) -> Any:
    """Return the table of predictions, with a row for each contender."""
    counts = [f"{r['n_rows']:,} rows" for r in predictions]
    headers = [text for count in counts for text in (count, "x fastmlp")]
    widths = "-".join(map(str, predictions[0]["widths"]))
    table = new_table(f"inference, {widths}: µs per call (median)", "contender", *headers)
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
    table = new_table("seconds to compile before the first step", "contender", "cold", "warm")
    for r in compiling:
        if not r["skipped"]:
            table.add_row(r["contender"], f"{r['cold']:.1f}", f"{r['warm']:.1f}")
    return table


def instruction_table(content: dict) -> Any:
    """Return the table of what each library reports about its instructions, and where."""
    speakers: dict[tuple, list[str]] = {}
    for contender, evidence in content["instructions"].items():
        for e in evidence:
            speakers.setdefault((e["library"], e["says"], e["held"]), []).append(contender)
    table = new_table(
        f"instructions used, requested: {content['isa']}", "library", "reports", "within", "in"
    )
    table.columns[-1].no_wrap = False
    for (library, says, held), contenders in speakers.items():
        held = {True: "yes", False: "NO", None: "not known"}[held]
        where = "all" if len(contenders) == len(content["instructions"]) else ", ".join(contenders)
        table.add_row(library, says, held, where)
    return table


def remarks(content: dict) -> list[str]:
    """Return a line for each contender that was skipped, failed, disagreed or was not limited."""
    lines = []
    for result in [*content["results"], *content["products"]]:
        what = result.get("workload") or f"{result['product']} {result['shape']}"
        for r in result["rows"]:
            if r["skipped"]:
                lines.append(f"skipped {r['contender']}: {r['skipped']}")
            elif not r["agrees"]:
                lines.append(
                    f"{what}: {r['contender']} did not compute what the others did; ignore its time"
                )
    for contender, evidence in content["instructions"].items():
        for e in evidence:
            if e["held"] is False:
                lines.append(
                    f"not limited to {content['isa']}: {contender} ({e['library']}: {e['says']})"
                )
    return list(dict.fromkeys(lines))


def new_table(title: str, *headers: str) -> Any:
    """Return an empty table whose first column is text and whose other columns are numbers."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.min_width = len(title)  # otherwise the title of a narrow table wraps
    for i, header in enumerate(headers):
        text = i == 0 or "peer" in header or header in ("products", "says", "held", "in")
        table.add_column(header, justify="left" if text else "right", no_wrap=True)
    return table


def figure(microseconds: float) -> str:
    """Return a time with three significant digits."""
    return f"{microseconds:,.0f}" if microseconds >= 100 else f"{microseconds:.3g}"


def times(ratio: float | None) -> str:
    """Return a ratio with a sensible number of digits."""
    return "" if ratio is None else f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"
