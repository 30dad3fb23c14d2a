"""Command line: repeat the outcomes of some of the systems and print a table of them."""

import argparse
import sys
from pathlib import Path

from bench.reference_systems import r1, r2, r3, r4, r5
from bench.reference_systems.outcome import header
from fastmlp import compiled

SYSTEMS = ("R1", "R2", "R3", "R4", "R5")


def main() -> int:
    """Run what is asked for; the exit code is 1 if an outcome was not reached."""
    parser = argparse.ArgumentParser(prog="python -m bench.reference_systems")
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"{', '.join(SYSTEMS)} [all]")
    parser.add_argument("--cifar10", metavar="DIR", help="folder of the official CIFAR-10 files")
    parser.add_argument("--mnist", metavar="DIR", help="folder of the official MNIST files")
    parser.add_argument("--dtype", default="float64", help="of R3: float64 or float32")
    parser.add_argument("--seed", type=int, default=0, help="of R3's nets and minibatches [0]")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw R3's pictures here")
    arguments = parser.parse_args()
    unknown = set(arguments.systems) - set(SYSTEMS)
    if unknown:
        parser.error(f"unknown system {unknown.pop()!r}: choose from {', '.join(SYSTEMS)}")
    runs = {
        "R1": lambda: r1.outcomes(arguments.cifar10),
        "R2": lambda: r2.outcomes(arguments.cifar10),
        "R3": lambda: r3.outcomes(
            arguments.cifar10, arguments.dtype, arguments.pictures, arguments.seed
        ),
        "R4": lambda: r4.outcomes(arguments.cifar10),
        "R5": lambda: r5.outcomes(arguments.mnist),
    }
    compiled.warm_up()
    print(header(), flush=True)
    reached = True
    for system in arguments.systems or SYSTEMS:
        for outcome in runs[system]():
            print(outcome.row(), flush=True)
            reached &= outcome.reached
    return 0 if reached else 1


sys.exit(main())
