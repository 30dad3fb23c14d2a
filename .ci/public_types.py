"""Check that the types of the public surface are complete, as those see them who import it.

    .venv/bin/python .ci/public_types.py installed/bin

The argument is the folder of programs of a virtual environment into which fastmlp is installed for
real: pyright follows no editable install to ``fastmlp.kernels``. This Python's environment has
pyright, and the libraries whose types fastmlp names.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

PUBLIC = (
    "callbacks",
    "cli",
    "datasets",
    "gradcheck",
    "history",
    "initializers",
    "layers",
    "losses",
    "ops",
    "optimizers",
    "plots",
    "saving",
    "schedules",
    "sequential",
    "stopping",
    "sweep",
    "training",
)
"""Modules that are imported by name. fastmlp.sklearn stands on scikit-learn, which has no types."""


def main() -> int:
    """Print what has no complete type; return how many such names there are, 1 at most."""
    symbols = _symbols(Path(sys.argv[1]).resolve())
    lacking = [s for s in symbols if _is_public(s["name"]) and not _is_complete(s)]
    for symbol in lacking:
        reasons = "; ".join(d["message"].split("\n")[0] for d in symbol["diagnostics"])
        print(f"{symbol['name']}: {reasons or 'something it refers to is not typed'}")
    n_public = sum(_is_public(s["name"]) for s in symbols)
    print(f"types: {n_public - len(lacking)} of {n_public} public names are complete")
    return int(bool(lacking) or n_public == 0)


def _symbols(programs: Path) -> list[dict[str, Any]]:
    """Return what pyright says of every name that the installed package exports."""
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",  # pyright asks the first python
        "PYTHONPATH": sysconfig.get_path("purelib"),
    }
    command = [sys.executable, "-m", "pyright", "--verifytypes", "fastmlp", "--ignoreexternal"]
    done = subprocess.run(
        [*command, "--outputjson"], env=environment, capture_output=True, text=True, cwd=programs
    )
    return json.loads(done.stdout)["typeCompleteness"]["symbols"]


def _is_public(name: str) -> bool:
    """Tell a name in `PUBLIC`, or one that fastmlp itself shows, from all others."""
    package, *inside = name.split(".")
    if package != "fastmlp" or not inside or any(_is_private(part) for part in inside):
        return False
    return inside[0] in PUBLIC or len(inside) == 1


def _is_private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def _is_complete(symbol: dict[str, Any]) -> bool:
    return symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]


if __name__ == "__main__":
    sys.exit(main())
