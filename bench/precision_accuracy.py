"""Test accuracy of the command line's default network at each precision, over several seeds.

``python -m bench.precision_accuracy DATASET [--data-dir DIR] [--seeds 5] [--epochs N]``

A seed determines the initial weights, the order of the rows, dropout and the validation rows. So
the spread over seeds shows how much two runs of equal precision differ; precisions that differ by
less are equally good. Each run is one ``fastmlp train``. For each seed the precisions run one after
the other, so that a busy machine slows all of them. ``--json FILE`` saves the reports.
"""

import argparse
import contextlib
import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from fastmlp import cli
from fastmlp.cli.defaults import DATASETS
from fastmlp.training import PRECISIONS

__all__ = ["main", "table", "train"]


def main(arguments: list[str] | None = None) -> int:
    """Train all runs, printing a line after each and a table at the end."""
    parser = argparse.ArgumentParser(prog="python -m bench.precision_accuracy")
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--data-dir", type=Path, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="runs per precision [5]")
    parser.add_argument("--epochs", type=int, metavar="N", help="default: that of the dataset")
    parser.add_argument("--threads", type=int, metavar="N", help="does not change the accuracy")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the reports here")
    options = parser.parse_args(arguments)

    reports: list[dict[str, Any]] = []
    n_runs, started = options.seeds * len(PRECISIONS), time.perf_counter()
    for seed in range(options.seeds):
        for precision in PRECISIONS:
            report = train(
                options.dataset,
                options.data_dir,
                seed=seed,
                precision=precision,
                epochs=options.epochs,
                threads=options.threads,
            )
            reports.append(report)
            left = (time.perf_counter() - started) * (n_runs / len(reports) - 1)
            print(
                f"seed {seed}, {precision}: test accuracy {report['test_accuracy']:.2%} after "
                f"{report['train_seconds']:.1f} s; about {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
            if options.json:
                options.json.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
    print(table(reports))
    return 0


def train(dataset: str, data_dir: Path | None, **options: Any) -> dict[str, Any]:
    """Return the report of one ``fastmlp train`` (`fastmlp.cli.train.build_report`).

    Parameters
    ----------
    dataset : str
    data_dir : Path, optional
    **options
        Command-line options by name; None leaves one out.

    Raises
    ------
    RuntimeError
        If the command fails.

    """
    command = ["train", dataset, "--json"]
    for name, value in {"data-dir": data_dir, **options}.items():
        if value is not None:
            command += [f"--{name}", str(value)]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = cli.main(command)
    if code:
        raise RuntimeError(f"fastmlp {' '.join(command)} failed with exit code {code}")
    return json.loads(output.getvalue().splitlines()[-1])


def table(reports: list[dict[str, Any]]) -> str:
    """Return a Markdown table: accuracy in percent, training time without compilation."""
    lines = [
        "| dataset | precision | seeds | mean test accuracy | min | max | std | seconds, median |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for precision in PRECISIONS:
        chosen = [report for report in reports if report["precision"] == precision]
        if not chosen:
            continue
        accuracy = [100 * report["test_accuracy"] for report in chosen]
        spread = statistics.stdev(accuracy) if len(accuracy) > 1 else 0.0
        seconds = statistics.median(report["train_seconds"] for report in chosen)
        lines.append(
            f"| {chosen[0]['dataset']} | {precision} | {len(chosen)} "
            f"| {statistics.mean(accuracy):.2f} | {min(accuracy):.2f} | {max(accuracy):.2f} "
            f"| {spread:.2f} | {seconds:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
