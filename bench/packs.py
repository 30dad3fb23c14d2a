"""Many networks at once: packs against JAX and PyTorch, and grid searches against scikit-learn.

``python -m bench packs`` trains 8, 64 and 256 networks of one shape on the same rows, each from its
own initial parameters and in its own order of rows. Contenders run in processes of their own, warm,
in turns. Next, it trains networks of different widths, together and one after the other. Then it
runs grids of 36 candidates and 5 folds with `fastmlp.sklearn.MLPGridSearchCV` and with
scikit-learn's GridSearchCV(n_jobs=-1) over fastmlp's and over its own estimator. ``--isa`` limits
all of them to an instruction set, and they report what they used.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import instructions, machine
from bench.children import Child, Measurement, interleave
from bench.pack_grids import GRIDS, SEARCHES
from bench.pack_peers import CONTENDERS
from bench.progress import status
from bench.workloads import WORKLOADS, Workload
from fastmlp.cli.destinations import check_file
from fastmlp.cli.parsing import Parser, number, whole_number

__all__ = ["SHAPES", "main"]

SHAPES: dict[str, Workload] = {
    "tabular": replace(WORKLOADS["tabular"], n_rows=2_048),
    "small": Workload("small", (64, 32, 16, 3), 64, 2_048, 1e-3),
    "mnist": replace(WORKLOADS["mnist"], n_rows=10_240),
}
"""About 2,000 and 10,000 rows, whole batches of them."""

AGREEMENT = 0.1
"""Largest difference of a mean loss from the median of all, as a share of it. The orders of rows
differ from peer to peer."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks; return 0, or 1 if contenders did not learn the same."""
    options = parsed(argv)
    found: dict[str, Any] = {"machine": machine.describe(), "isa": options.isa}
    found |= {"packs": [], "widths": [], "grids": []}
    jobs = [(shape, n) for shape in options.workloads for n in options.networks]
    with status(len(jobs) + bool(options.different) + len(options.grids)) as progress:
        for shape, n in jobs:
            progress.say(f"{n} networks of {shape}")
            found["packs"].append(pack(SHAPES[shape], n, options, progress.say))
            progress.advance()
            keep(found, options.json)
        if options.different:
            progress.say(f"{options.different} networks of different widths")
            job = {"do": "widths", "n_networks": options.different, "rounds": 2 * options.rounds}
            found["widths"].append(measured("different widths", job, options.isa))
            progress.advance()
            keep(found, options.json)
        for name in options.grids:
            progress.say(f"grid on {name}")
            job = {"do": "grid", "name": name, "rounds": options.grid_rounds}
            found["grids"].append(measured(f"grid on {name}", job, options.isa))
            progress.advance()
            keep(found, options.json)
    print("\n".join(tables(found)))
    return 0 if all(result["agrees"] for result in found["packs"] + found["grids"]) else 1


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = Parser(prog="python -m bench packs", description="Time many networks at once.")
    option = parser.add_argument
    option("--networks", default="8,64,256", help="comma-separated numbers (default: 8,64,256)")
    option("--workloads", default=",".join(SHAPES), help=f"of {', '.join(SHAPES)} (default: all)")
    option("--peers", default=",".join(CONTENDERS), help=f"of {', '.join(CONTENDERS)}")
    option("--different", type=whole_number(0), default=64, metavar="N",
           help="networks of different widths, 0 for none (default: 64)")  # fmt: skip
    option("--grids", default=",".join(GRIDS), help=f"of {', '.join(GRIDS)}, or none")
    option("--isa", choices=instructions.LEVELS, default="best", metavar="LEVEL",
           help="instruction set to limit every contender to (default: best)")  # fmt: skip
    option("--rounds", type=whole_number(1), default=3, help="turns per contender (default: 3)")
    option("--seconds", type=number(above=True), default=1.0, help="length of a turn (default: 1)")
    option("--grid-rounds", type=whole_number(1), default=2, help="runs of each grid (default: 2)")
    option("--json", type=Path, metavar="FILE", help="save all measurements")
    options = parser.parse_args(argv)
    try:
        check_file("--json", options.json)
        instructions.is_held(options.isa)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    try:
        options.networks = [whole_number(1)(text) for text in options.networks.split(",")]
    except (ValueError, argparse.ArgumentTypeError) as error:
        parser.error(f"--networks: {error}")
    for name, known in (("workloads", SHAPES), ("peers", CONTENDERS), ("grids", GRIDS)):
        listed = [text for text in getattr(options, name).split(",") if text not in ("", "none")]
        for text in listed:
            if text not in known:
                parser.error(f"--{name}: unknown {text!r}, choose from {', '.join(known)}")
        setattr(options, name, listed)
    options.peers = ["fastmlp", *(name for name in options.peers if name != "fastmlp")]
    return options


def keep(found: dict[str, Any], path: Path | None) -> None:
    """Write what has been measured, if requested."""
    if path:
        path.write_text(json.dumps(found, indent=1))


def pack(work: Workload, n: int, options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Time all contenders on `n` networks."""
    job = {"do": "pack", "workload": asdict(work), "n_networks": n}
    children: list[Child] = []
    try:
        for name in options.peers:
            say(f"{n} networks of {work.name}: preparing {name}")
            children.append(Child(name, {**job, "contender": name}, options.isa))
        ready = [child for child in children if not child.description["skipped"]]
        turns = interleave(ready, options.rounds, options.seconds, say) if ready else []
    finally:
        for child in children:
            child.close()
    timed = {m.contender: m for m in turns}
    rows = [
        _row(timed.get(c.contender, Measurement(c.contender, c.description)), work, n)
        for c in children
    ]
    losses = [row["loss"] for row in rows if row["loss"] is not None]
    middle = float(np.median(losses)) if losses else 0.0
    agrees = all(abs(loss - middle) <= AGREEMENT * middle for loss in losses)
    return {"workload": work.name, "networks": n, "rows": rows, "agrees": agrees}


def _row(found: Measurement, work: Workload, n: int) -> dict[str, Any]:
    """Return a contender's results; a step is one of one network."""
    steps = n * work.steps_per_epoch
    return {
        "contender": found.contender,
        "skipped": found.description["skipped"],
        "microseconds_a_step": 1e6 * float(np.median(found.seconds)) / steps
        if found.seconds
        else None,
        "ratio": float(np.median(found.ratios)) if found.ratios else None,
        "peak_bytes": found.end.get("peak_bytes"),
        "loss": found.end.get("loss_after"),
        "instructions": found.end.get("instructions", []),
    }


def measured(what: str, job: dict[str, Any], level: str) -> dict[str, Any]:
    """Let a process of its own do a job that has one answer."""
    child = Child(what, job, level)
    try:
        return child.ask("measure")
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
    finally:
        child.close()


def tables(found: dict[str, Any]) -> list[str]:
    """Return the results as Markdown."""
    lines = []
    if found["packs"]:
        lines += [
            "| networks | contender | microseconds a step | times fastmlp's | peak MB | loss |",
            "|---|---|---|---|---|---|",
        ]
    for result in found["packs"]:
        for row in result["rows"]:
            start = f"| {result['networks']} of {result['workload']} | {row['contender']} |"
            if row["skipped"]:
                lines.append(f"{start} {row['skipped']} | | | |")
                continue
            cells = (
                _text(row["microseconds_a_step"], ".1f"),
                _text(row["ratio"], ".2f"),
                _text((row["peak_bytes"] or 0) / 1e6, ",.0f"),
                _text(row["loss"], ".4f"),
            )
            lines.append(f"{start} {' | '.join(cells)} |")
    for result in found["widths"]:
        lines += [
            "",
            f"{result['networks']} networks of {result['narrowest']} to {result['widest']} hidden "
            f"units on {result['n_threads']} threads: together {result['together']:.3f} s, one "
            f"after the other with one thread {result['alone']:.3f} s, so together they take "
            f"{result['share']:.2f} times an even share of the work",
        ]
    if found["grids"]:
        lines += ["", f"| grid | {' | '.join(SEARCHES)} | times faster | best score |"]
        lines += ["|---|---|---|---|---|---|"]
    for result in found["grids"]:
        seconds, best = result["seconds"], result["best"]
        cells = [f"{seconds[kind]:.2f} s" for kind in SEARCHES]
        faster = f"{seconds['scikit-learn'] / seconds['pack']:.1f}"
        scores = f"{best['pack']:.4f}, scikit-learn {best['scikit-learn']:.4f}"
        lines.append(f"| {result['data']} | {' | '.join(cells)} | {faster} | {scores} |")
    return lines + _instructions(found)


def _instructions(found: dict[str, Any]) -> list[str]:
    """Return what each library reports about the instructions that it used."""
    rows = [row for result in found["packs"] for row in result["rows"]]
    speakers: dict[str, list[str]] = {}
    for contender, evidence in [
        *((row["contender"], row.get("instructions", [])) for row in rows),
        *(("different widths", result.get("instructions", [])) for result in found["widths"]),
        *(("grids", result.get("instructions", [])) for result in found["grids"]),
    ]:
        for library, says, held in evidence:
            within = {True: "yes", False: "NO", None: "not known"}[held]
            known = speakers.setdefault(f"| {library} | {says} | {within} |", [])
            known += [contender] if contender not in known else []
    if not speakers:
        return []
    head = ["", f"| instructions, requested: {found['isa']} | reports | within | in |"]
    return [
        *head, "|---|---|---|---|",
        *(f"{start} {', '.join(contenders)} |" for start, contenders in speakers.items()),
    ]  # fmt: skip


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


if __name__ == "__main__":
    sys.exit(main())
