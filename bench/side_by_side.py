"""Train, predict, multiply and compile side by side: fastmlp, a peer, fastmlp, the next peer ..."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench import inference, instructions, machine, packs, products, report, tables
from bench.children import Child, Measurement, interleave
from bench.limits import Limits
from bench.peers import PEERS
from bench.progress import status
from bench.workloads import WORKLOADS, Workload, batch_sweep, width_sweep, workload
from fastmlp.cli.destinations import check_file
from fastmlp.cli.parsing import Parser, number, whole_number
from fastmlp.plots import require_format

__all__ = ["Result", "main"]

PARTS = ("training", "inference", "compiling", "batch-sweep", "width-sweep", "products")
SWEEP_PEERS = ("fastmlp", "torch", "jax", "sklearn", "numpy")
COMPILERS = ("fastmlp", "torch-compile", "jax")
QUICK = {"workloads": ("tabular", "mnist", "cifar"), "peers": SWEEP_PEERS}
INFERENCE_NETWORK = "mnist"
TURN_SECONDS = 0.5
AGREEMENT = 0.1
"""Largest difference between a peer's loss and the median of all, as a share of the decrease in
the first epoch. The order of the rows alone changes the loss by about a fifth of this."""


@dataclass
class Result:
    """One workload, and the measurements of each contender.

    Attributes
    ----------
    part : str
        One of `PARTS`.
    work : Workload
        The workload that was trained, or the network that predicted.
    measurements : list of Measurement
        In the order of the command line, skipped contenders included.
    n_rows : int or None
        Rows per prediction; None for training.

    """

    part: str
    work: Workload
    measurements: list[Measurement]
    n_rows: int | None = None
    disagreeing: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Number of steps in one repetition."""
        return 1 if self.n_rows is not None else self.work.steps_per_epoch


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks that the command line asks for; return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        0, or 1 if contenders did not compute the same, or a products process exited.

    """
    argv = sys.argv[1:] if argv is None else argv
    if list(argv[:1]) == ["packs"]:
        return packs.main(argv[1:])
    if list(argv[:1]) == ["tables"]:
        return tables.main(argv[1:])
    options = parsed(argv)
    found = report.Found(machine.describe(), options.isa)
    todo, failed = jobs(options), 0
    with status(len(todo)) as progress:
        progress.say("peaks of this machine")
        found.peaks = peaks(found)
        try:
            for job in todo:
                found.add(job(progress.say))
                progress.advance()
                keep(report.document(found), options.json)
        except KeyboardInterrupt:
            print("interrupted: reporting what was measured so far", file=sys.stderr)
        except RuntimeError as error:
            print(f"{error}; reporting what was measured so far", file=sys.stderr)
            failed = 1
        # Measure twice, since a busy moment would make the machine look slow.
        found.peaks = found.peaks.at_best(peaks(found))
    return published(report.document(found), options) or failed


def peaks(found: report.Found) -> Limits:
    """Measure the machine's limits, with the instructions that all are limited to."""
    child = Child("the limit", {"do": "limits"}, found.level)
    try:
        answer = child.ask("measure")
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
    finally:
        child.close()
    found.evidence["the limit"] = answer["instructions"]
    return Limits.from_message(answer["limits"])


def published(document: dict, options: argparse.Namespace) -> int:
    """Print the measurements, save and plot them if requested; return the exit code."""
    report.show(document)
    keep(document, options.json)
    if options.markdown:
        options.markdown.write_text(report.markdown(document))
    if options.plot:
        from bench.picture import draw  # imported here since matplotlib is optional

        draw(document, options.plot)
    rows = [row for result in document["results"] for row in result["rows"]]
    rows += [row for result in document["products"] for row in result["rows"]]
    return 0 if all(row["skipped"] or row["agrees"] for row in rows) else 1


def keep(document: dict, path: Path | None) -> None:
    """Write the document, if requested; done after every job, so that a crash loses little."""
    if path:
        path.write_text(json.dumps(document, indent=1))


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = Parser(prog="python -m bench", description="Time fastmlp and its peers side by side.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} "
                        "(default: training inference compiling); or packs or tables, which "
                        "have options of their own")  # fmt: skip
    option = parser.add_argument
    option("--workloads", type=listed, help="comma-separated names (default: all)")
    option("--peers", type=listed, help=f"comma-separated: {', '.join(PEERS)} (default: all)")
    option("--isa", choices=instructions.LEVELS, default="best", metavar="LEVEL",
           help=f"limit every contender to an instruction set, and check that it complies: one of "
           f"{', '.join(instructions.LEVELS)} (default: best)")  # fmt: skip
    option("--optimizer", choices=("adam", "sgd"), default="adam")
    option("--dtype", choices=products.DTYPES, help="dtype of products (default: both)")
    option("--shapes", type=listed, metavar="NxDxH,...", help="products to time (default: twenty)")
    option("--rounds", type=whole_number(1), default=5, help="turns per contender (default: 5)")
    option("--seconds", type=number(above=True),
           help="length of a turn (default: 0.5, for products 0.02)")  # fmt: skip
    option("--quick", action="store_true", help="three workloads, few peers, two rounds")
    option("--json", type=Path, metavar="FILE", help="save all measurements")
    option("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown")
    option("--plot", type=Path, metavar="FILE", help="plot the results (PNG, SVG or PDF)")
    options = parser.parse_args(argv)
    options.parts = options.parts or ["training", "inference", "compiling"]
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"unknown part {part!r}: choose from {', '.join(PARTS)}")
    try:
        for name in ("json", "markdown", "plot"):  # before hours of measuring
            check_file(f"--{name}", getattr(options, name))
        if options.plot:
            require_format(options.plot)
        instructions.is_held(options.isa)
        options.shapes = products.shapes(options.shapes)
        for name in options.workloads or ():
            workload(name)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    for name in options.peers or ():
        if name not in PEERS:
            parser.error(f"unknown peer {name!r}: choose from {', '.join(PEERS)}")
    if options.peers and "fastmlp" not in options.peers:
        options.peers = ("fastmlp", *options.peers)
    if options.quick:
        options.workloads = options.workloads or QUICK["workloads"]
        options.peers = options.peers or QUICK["peers"]
        options.rounds = min(options.rounds, 2)
        options.shapes = options.shapes[::4]
    return options


def jobs(options: argparse.Namespace) -> list[Callable]:
    """Return the jobs: functions that take ``say`` and return their measurements."""
    todo: list[Callable] = []
    sweeps = {"batch-sweep": batch_sweep(), "width-sweep": width_sweep()}
    for part in PARTS:
        if part not in options.parts:
            continue
        if part == "training":
            chosen = [workload(name) for name in options.workloads or WORKLOADS]
            todo += [
                partial(trained, part, work, options.peers or PEERS, options) for work in chosen
            ]
        elif part in sweeps:
            names = options.peers or SWEEP_PEERS
            todo += [partial(trained, part, work, names, options) for work in sweeps[part]]
        elif part == "inference":
            network = workload(INFERENCE_NETWORK)
            todo += [partial(predicted, network, n_rows, options) for n_rows in inference.ROWS]
        elif part == "products":
            todo += products.jobs(options)
        else:
            names = [name for name in COMPILERS if name in (options.peers or PEERS)]
            network = workload(INFERENCE_NETWORK)
            todo += [partial(compiled, name, network, options.isa) for name in names]
    return todo


def trained(
    part: str, work: Workload, names: Iterable[str], options: Any, say: Callable[[str], None]
) -> Result:
    """Train `work` with each peer in turn."""
    work = work.with_optimizer(options.optimizer)
    where = f"{work.name}, {work.optimizer}"
    result = Result(part, work, timed(names, work, None, options, where, say))
    after = {m.contender: m.end["loss_after"] for m in result.measurements if m.end}
    if after:
        before = next(m.end["loss_before"] for m in result.measurements if m.end)
        middle = sorted(after.values())[len(after) // 2]
        result.disagreeing = [
            name
            for name, loss in after.items()
            if not abs(loss - middle) <= AGREEMENT * abs(before - middle)
        ]
    return result


def predicted(work: Workload, n_rows: int, options: Any, say: Callable[[str], None]) -> Result:
    """Predict `n_rows` rows at a time with each contender in turn."""
    names = inference.CONTENDERS
    where = f"predict {n_rows:,} rows"
    result = Result("inference", work, timed(names, work, n_rows, options, where, say), n_rows)
    result.disagreeing = [m.contender for m in result.measurements if m.end.get("error", 0) > 1e-4]
    return result


def timed(
    names: Iterable[str], work: Workload, n_rows: int | None, options: Any, where: str,
    say: Callable[[str], None],
) -> list[Measurement]:  # fmt: skip
    """Start the contenders one by one, time them in turn, and stop them all."""
    children: list[Child] = []
    job: dict[str, Any] = {"do": "train", "workload": asdict(work)}
    if n_rows is not None:
        job |= {"do": "predict", "n_rows": n_rows}
    try:
        for name in names:
            say(f"{where}: preparing {name}")
            children.append(Child(name, {**job, "contender": name}, options.isa))
        ready = [child for child in children if not child.description["skipped"]]
        measured = {}
        if ready:
            turns = interleave(
                ready,
                options.rounds,
                options.seconds or TURN_SECONDS,
                lambda name: say(f"{where}: {name}"),
            )
            measured = {m.contender: m for m in turns}
    finally:
        for child in children:
            child.close()
    return [
        measured.get(child.contender, Measurement(child.contender, child.description))
        for child in children
    ]


def compiled(name: str, work: Workload, level: str, say: Callable[[str], None]) -> dict:
    """Prepare contender `name` twice with the same new cache folder; return both compile times."""
    seconds: dict[str, Any] = {"contender": name}
    job = {"do": "train", "contender": name, "workload": asdict(work)}
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "FASTMLP_CACHE_DIR": folder,
            "TORCHINDUCTOR_CACHE_DIR": folder,
            "JAX_COMPILATION_CACHE_DIR": folder,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        for cache in ("cold", "warm"):
            say(f"compiling with a {cache} cache: {name}")
            child = Child(name, job, level, environment)
            child.close()
            seconds["skipped"] = child.description["skipped"]
            seconds[cache] = child.description.get("compile_seconds")
    return seconds


def listed(text: str) -> tuple[str, ...]:
    """Return the comma-separated names in `text`."""
    return tuple(filter(None, text.split(",")))
