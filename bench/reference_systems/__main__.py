"""Command line: reproduce the results of some of the systems and print them as a table."""

import argparse
import sys
from pathlib import Path

from bench.reference_systems import r1, r2, r3, r4, r5
from bench.reference_systems.outcome import Outcome, header
from fastmlp.common.errors import called
from fastmlp.engine.warmup import warm_up

PROGRAM = "python -m bench.reference_systems"
SYSTEMS = ("R1", "R2", "R3", "R4", "R5")


def main() -> int:
    """Run the chosen systems; return 1 if a result was not reached, 2 for a bad argument."""
    arguments = parse()
    warm_up()
    print(header(), flush=True)
    reached = True
    try:
        with called({"directory": "--mnist or --cifar10", "input_file": "--mnist"}):
            for system in arguments.systems or SYSTEMS:
                for outcome in outcomes(system, arguments):
                    print(outcome.row(), flush=True)
                    reached &= outcome.reached
    except (OSError, ValueError, TypeError, ImportError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return 130
    return 0 if reached else 1


def parse() -> argparse.Namespace:
    """Return the arguments, checked before anything is run."""
    parser = argparse.ArgumentParser(prog=PROGRAM)
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"{', '.join(SYSTEMS)} [all]")
    parser.add_argument("--cifar10", metavar="DIR", help="folder of the official CIFAR-10 files")
    parser.add_argument("--mnist", metavar="DIR", help="folder of the official MNIST files")
    parser.add_argument(
        "--dtype", default="float64", choices=("float64", "float32"), help="dtype of R3 [float64]"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of R3's nets and minibatches [0]")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw R3's pictures here")
    arguments = parser.parse_args()
    unknown = set(arguments.systems) - set(SYSTEMS)
    if unknown:
        parser.error(f"unknown system {unknown.pop()!r}: choose from {', '.join(SYSTEMS)}")
    for option in ("cifar10", "mnist"):
        folder = getattr(arguments, option)
        if folder is not None and not Path(folder).is_dir():
            parser.error(f"--{option} {folder} is not a folder: pass that of the official files")
    return arguments


def outcomes(system: str, arguments: argparse.Namespace) -> list[Outcome]:
    """Reproduce the published results of one system."""
    if system == "R3":
        return r3.outcomes(arguments.cifar10, arguments.dtype, arguments.pictures, arguments.seed)
    if system == "R5":
        return r5.outcomes(arguments.mnist)
    return {"R1": r1, "R2": r2, "R4": r4}[system].outcomes(arguments.cifar10)


if __name__ == "__main__":
    sys.exit(main())
