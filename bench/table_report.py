"""The report of `bench.tables` as Markdown."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.ranks import Ranks, ranked
from bench.table_methods import METHODS, TWINS
from bench.table_suite import ALL_TABLES

__all__ = ["Errors", "markdown", "ranks", "relative"]

REFERENCE = "HistGradientBoosting"
KINDS = {"class": "classes: share of wrong labels", "number": "numbers: error in deviations"}

Record = dict[str, Any]
Errors = dict[tuple[str, str], dict[int, float]]
"""(table, method) -> split -> error."""


def markdown(records: list[Record], machine: dict[str, Any]) -> str:
    """Return the report for records of jobs, those that were skipped or failed included."""
    good = [r for r in records if r.get("skipped") is None and "failed" not in r]
    errors = errors_of(good)
    blocks = [
        _machine(machine),
        "## Errors",
        *(_errors(errors, kind) for kind in KINDS),
        f"## Geometric mean of the errors, as multiples of {REFERENCE}'s",
        _means(errors),
        "## The same design by pytabkit",
        _twins(errors, good),
        "## Seconds",
        _seconds(good),
        "## Mean ranks",
        _ranks(ranks(records)),
        _left_out(records),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def errors_of(records: Iterable[Record]) -> Errors:
    """Return the errors; they do not depend on the number of threads, so the first counts."""
    errors: Errors = defaultdict(dict)
    for r in records:
        # Half of a row where no row is wrong, since a geometric mean has no use for 0.
        least = 0.5 / r["n_test"] if r["kind"] == "class" else 0.0
        errors[r["table"], r["method"]].setdefault(r["split"], max(r["error"], least))
    return errors


def relative(errors: Errors, table: str, method: str, reference: str) -> float | None:
    """Return the ratio of mean errors on a table over the splits that both have; None for none."""
    ours, theirs = errors.get((table, method), {}), errors.get((table, reference), {})
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        return None
    return sum(ours[i] for i in common) / sum(theirs[i] for i in common)


def ranks(records: list[Record]) -> Ranks | None:
    """Rank the methods that have errors on every table with errors, by the splits of all."""
    good = [r for r in records if r.get("skipped") is None and "failed" not in r]
    errors = errors_of(good)
    tables = [t for t in ALL_TABLES if any(table == t for table, _ in errors)]
    complete = [m for m in METHODS if all(errors.get((t, m)) for t in tables)]
    rows = []
    for table in tables:
        common = set.intersection(*(set(errors[table, m]) for m in complete)) if complete else set()
        if common:
            rows.append([np.mean([errors[table, m][i] for i in common]) for m in complete])
    if len(complete) < 2 or len(rows) < 2:
        return None
    return ranked(complete, np.array(rows))


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.mean(np.log(list(values)))))


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['processor']}, {machine['threads']} threads; {versions}."


def _present(errors: Errors) -> list[str]:
    return [m for m in METHODS if any(method == m for _, method in errors)]


def _errors(errors: Errors, kind: str) -> str:
    """Return a table of mean errors with their deviation over the splits."""
    methods = _present(errors)
    lines = [f"| {KINDS[kind]} | {' | '.join(methods)} |", f"|---|{'---|' * len(methods)}"]
    for table in _tables(errors, kind):
        means = {m: np.mean(list(s.values())) for m in methods if (s := errors.get((table, m)))}
        best = min(means.values())
        cells = []
        for method in methods:
            values = list(errors.get((table, method), {}).values())
            if not values:
                cells.append("")
                continue
            text = f"{np.mean(values):.4f}"
            text = f"**{text}**" if means[method] == best else text
            spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
            cells.append(f"{text}{spread} ({len(values)})")
        lines.append(f"| {table} | {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _means(errors: Errors) -> str:
    lines = ["| method | classes | tables | numbers | tables |", "|---|---|---|---|---|"]
    for method in _present(errors):
        cells = []
        for kind in KINDS:
            found = [relative(errors, t, method, REFERENCE) for t in _tables(errors, kind)]
            known = [ratio for ratio in found if ratio is not None]
            cells += [f"{geometric_mean(known):.3f}" if known else "", f"{len(known)}"]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _twins(errors: Errors, records: list[Record]) -> str:
    """Return the errors of twins on the splits that both have, and how much faster ours fits."""
    lines = [
        "| method | table | splits | error | pytabkit's | deviation of the difference | error, "
        "as a multiple | processor seconds to fit | pytabkit's | times faster |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method, twin in TWINS.items():
        ratios, speeds = [], []
        for table in ALL_TABLES:
            ours, theirs = errors.get((table, method), {}), errors.get((table, twin), {})
            common = sorted(ours.keys() & theirs.keys())
            if not common:
                continue
            a, b = (np.array([errors[table, m][i] for i in common]) for m in (method, twin))
            spread = f"{np.std(a - b, ddof=1):.4f}" if len(common) > 1 else ""
            ratios.append(a.mean() / b.mean())
            times = [_median(records, table, m, "fit_processor_seconds", 1) for m in (method, twin)]
            cells = [f"{t:.1f}" if t is not None else "" for t in times]
            faster = ""
            if times[0] is not None and times[1] is not None:
                speeds.append(times[1] / times[0])
                faster = f"{speeds[-1]:.1f}"
            lines.append(
                f"| {method} | {table} | {len(common)} | {a.mean():.4f} | {b.mean():.4f} | {spread}"
                f" | {ratios[-1]:.3f} | {cells[0]} | {cells[1]} | {faster} |"
            )
        if ratios:
            faster = f"{geometric_mean(speeds):.1f}" if speeds else ""
            lines.append(
                f"| **{method}** | geometric mean | | | | | **{geometric_mean(ratios):.3f}** | | | "
                f"**{faster}** |"
            )
    return "\n".join(lines) if len(lines) > 2 else ""


def _seconds(records: list[Record]) -> str:
    """Return tables of seconds: of the processor with one thread, by the clock with more."""
    blocks = []
    for n in sorted({r["n_threads"] for r in records}):
        own = [r for r in records if r["n_threads"] == n]
        methods = [m for m in METHODS if any(r["method"] == m for r in own)]
        kind = "processor_seconds" if n == 1 else "seconds"
        what = f"{'processor seconds' if n == 1 else 'seconds'}, {n} thread{'s' * (n > 1)}"
        for step in ("fit", "predict"):
            form = ".1f" if step == "fit" else ".3f"
            lines = [f"| {step}: {what} | {' | '.join(methods)} |", f"|---|{'---|' * len(methods)}"]
            for table in ALL_TABLES:
                found = [_median(own, table, m, f"{step}_{kind}", n) for m in methods]
                if any(value is not None for value in found):
                    cells = ["" if value is None else format(value, form) for value in found]
                    lines.append(f"| {table} | {' | '.join(cells)} |")
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _median(
    records: list[Record], table: str, method: str, what: str, n_threads: int
) -> float | None:
    found = [
        r[what]
        for r in records
        if (r["table"], r["method"], r["n_threads"]) == (table, method, n_threads)
    ]
    return float(np.median(found)) if found else None


def _ranks(found: Ranks | None) -> str:
    if found is None:
        return "Ranks take two methods with errors on two tables."
    lines = [
        f"{len(found.methods)} methods on {found.n_tables} tables. Ranks would differ as much with "
        f"probability {found.friedman:.2g} if all methods were equally good (Friedman's test). "
        f"Mean ranks that differ by more than {found.critical_difference:.2f} do so beyond chance "
        "(Nemenyi's test, level 0.05). The last column has the methods whose errors differ beyond "
        "chance by Wilcoxon's test of pairs with Holm's adjustment (same level).",
        "",
        "| method | mean rank | within the critical difference | differs from |",
        "|---|---|---|---|",
    ]
    for i, (method, mean) in enumerate(zip(found.methods, found.means, strict=True)):
        near = [
            str(j + 1)
            for j, other in enumerate(found.means)
            if j != i and abs(other - mean) <= found.critical_difference
        ]
        far = [str(j + 1) for j in range(len(found.methods)) if found.wilcoxon[i, j] < 0.05]
        lines.append(
            f"| {i + 1}. {method} | {mean:.2f} | {', '.join(near) or '-'} | "
            f"{', '.join(far) or '-'} |"
        )
    return "\n".join(lines)


def _left_out(records: list[Record]) -> str:
    """Return a line for each method that was skipped or failed."""
    lines = {}
    for r in records:
        if "failed" in r:
            lines[f"{r['method']} failed on {r['table']}, split {r['split']}: {r['failed']}"] = None
        elif r.get("skipped"):
            lines[f"{r['method']} was skipped: {r['skipped']}"] = None
    return "\n".join(f"- {line}" for line in lines)


def _tables(errors: Errors, kind: str) -> list[str]:
    return [
        t
        for t, table in ALL_TABLES.items()
        if table.kind == kind and any(t == a for a, _ in errors)
    ]
