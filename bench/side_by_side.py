"""Train, predict and compile side by side: fastmlp, a peer, fastmlp, the next peer, and so on."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import inference, limits, machine, report
from bench.children import Child, Measurement, interleave
from bench.peers import PEERS
from bench.workloads import WORKLOADS, Workload, batch_sweep, width_sweep, workload

__all__ = ["Result", "main"]

PARTS = ("training", "inference", "compiling", "batch-sweep", "width-sweep")
SWEEP_PEERS = ("fastmlp", "torch", "jax", "sklearn", "numpy")
COMPILERS = ("fastmlp", "torch-compile", "jax")
QUICK = {"workloads": ("tabular", "mnist", "cifar"), "peers": SWEEP_PEERS}
INFERENCE_NETWORK = "mnist"
AGREEMENT = 0.1
"""Of the fall of the loss in the first epoch: how far a peer may be from the median of all. The
order of the rows alone moves it by about a fifth of this."""


@dataclass
class Result:
    """One workload, and what was measured of each contender.

    Attributes
    ----------
    part : str
        One of `PARTS`.
    work : Workload
        What was trained, or the network that predicted.
    measurements : list of Measurement
        In the order of the command line, skipped contenders included.
    n_rows : int or None
        Rows a prediction; None for training.

    """

    part: str
    work: Workload
    measurements: list[Measurement]
    n_rows: int | None = None
    disagreeing: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps in one repetition."""
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
        0, or 1 if the peers did not learn the same thing.

    """
    options = parsed(argv)
    results: list[Result] = []
    compiling: list[dict] = []
    described = machine.describe()
    with status() as say:
        say("peaks of this machine")
        peaks = limits.measure()
        for work in works(options):
            names = options.peers or (PEERS if work.name in WORKLOADS else SWEEP_PEERS)
            part = "training" if work.name in WORKLOADS else f"{work.name.split('-')[0]}-sweep"
            results.append(trained(part, work, tuple(names), options, say))
        if "inference" in options.parts:
            network = workload(INFERENCE_NETWORK)
            results += [predicted(network, n, options, say) for n in inference.ROWS]
        if "compiling" in options.parts:
            names = [n for n in COMPILERS if n in (options.peers or PEERS)]
            compiling = [compiled(name, workload(INFERENCE_NETWORK), say) for name in names]
    document = report.document(described, peaks, results, compiling)
    return published(document, options)


def published(document: dict, options: argparse.Namespace) -> int:
    """Print, and where asked for keep and draw, what was measured; return the exit code."""
    report.show(document)
    if options.json:
        Path(options.json).write_text(json.dumps(document, indent=1))
    if options.markdown:
        Path(options.markdown).write_text(report.markdown(document))
    if options.plot:
        from bench.picture import draw  # here, because matplotlib is optional

        draw(document, options.plot)
    rows = [row for result in document["results"] for row in result["rows"]]
    return 0 if all(row["skipped"] or row["agrees"] for row in rows) else 1


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Time fastmlp and its peers side by side."
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} "
                        "(default: training inference compiling)")  # fmt: skip
    option = parser.add_argument
    option("--workloads", type=listed, help="comma-separated names (default: all)")
    option("--peers", type=listed, help=f"comma-separated, of {', '.join(PEERS)} (default: all)")
    option("--optimizer", choices=("adam", "sgd"), default="adam")
    option("--rounds", type=int, default=5, help="turns of each contender (default: 5)")
    option("--seconds", type=float, default=0.15, help="a turn takes about (default: 0.15)")
    option("--quick", action="store_true", help="three workloads, few peers, two rounds")
    option("--json", metavar="FILE", help="keep everything measured")
    option("--markdown", metavar="FILE", help="write the tables as Markdown")
    option("--plot", metavar="FILE", help="draw it (PNG, SVG or PDF)")
    options = parser.parse_args(argv)
    options.parts = options.parts or ["training", "inference", "compiling"]
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"unknown part {part!r}: use some of {', '.join(PARTS)}")
    try:
        for name in options.workloads or ():
            workload(name)
    except ValueError as error:
        parser.error(str(error))
    for name in options.peers or ():
        if name not in PEERS:
            parser.error(f"unknown peer {name!r}: use some of {', '.join(PEERS)}")
    if options.peers and "fastmlp" not in options.peers:
        options.peers = ("fastmlp", *options.peers)
    if options.quick:
        options.workloads = options.workloads or QUICK["workloads"]
        options.peers = options.peers or QUICK["peers"]
        options.rounds = min(options.rounds, 2)
    return options


def works(options: argparse.Namespace) -> list[Workload]:
    """Return what is to be trained."""
    chosen: list[Workload] = []
    if "training" in options.parts:
        chosen += [workload(name) for name in options.workloads or WORKLOADS]
    if "batch-sweep" in options.parts:
        chosen += batch_sweep()
    if "width-sweep" in options.parts:
        chosen += width_sweep()
    return [work.with_optimizer(options.optimizer) for work in chosen]


def trained(
    part: str, work: Workload, names: tuple[str, ...], options: Any, say: Callable[[str], None]
) -> Result:
    """Train `work` with each peer in turn."""
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
    names = tuple(inference.CONTENDERS)
    where = f"predict {n_rows:,} rows"
    result = Result("inference", work, timed(names, work, n_rows, options, where, say), n_rows)
    result.disagreeing = [m.contender for m in result.measurements if m.end.get("error", 0) > 1e-4]
    return result


def timed(
    names: tuple[str, ...], work: Workload, n_rows: int | None, options: Any, where: str,
    say: Callable[[str], None],
) -> list[Measurement]:  # fmt: skip
    """Start the contenders one after the other, time them in turn, end them all."""
    children: list[Child] = []
    try:
        for name in names:
            say(f"{where}: preparing {name}")
            children.append(Child(name, work, n_rows))
        ready = [child for child in children if not child.description["skipped"]]
        measured = {}
        if ready:
            turns = interleave(
                ready, options.rounds, options.seconds, lambda name: say(f"{where}: {name}")
            )
            measured = {m.contender: m for m in turns}
    finally:
        for child in children:
            child.close()
    return [
        measured.get(child.contender, Measurement(child.contender, child.description))
        for child in children
    ]


def compiled(name: str, work: Workload, say: Callable[[str], None]) -> dict:
    """Prepare contender `name` twice from one fresh cache folder; return both compile times."""
    seconds: dict[str, Any] = {"contender": name}
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "FASTMLP_CACHE_DIR": folder,
            "TORCHINDUCTOR_CACHE_DIR": folder,
            "JAX_COMPILATION_CACHE_DIR": folder,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        for cache in ("cold", "warm"):
            say(f"compiling with a {cache} cache: {name}")
            child = Child(name, work, environment=environment)
            child.close()
            seconds["skipped"] = child.description["skipped"]
            seconds[cache] = child.description.get("compile_seconds")
    return seconds


@contextmanager
def status() -> Any:
    """Give a function that says on standard error what is being done, in place on a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    with console.status("starting") as spinner:
        yield spinner.update


def listed(text: str) -> tuple[str, ...]:
    """Return the comma-separated names in `text`."""
    return tuple(filter(None, text.split(",")))
