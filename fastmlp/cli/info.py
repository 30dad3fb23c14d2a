"""`fastmlp info`: versions, processor, threads, folders, and the effect of each precision."""

import argparse
import json
import platform
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["add_parser", "run"]

_PACKAGES = ("fastmlp", "numpy", "numba", "llvmlite")
_FEATURES = ("avx2", "fma", "avx512f", "avx512bf16", "amx-tile", "amx-bf16", "neon", "bf16")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("info", help="show what is installed and what this machine offers")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the facts as a table or as one JSON object."""
    facts = collect()
    if arguments.json:
        print(json.dumps(facts))
        return 0
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<16}{_plain(value)}")
    return 0


def collect() -> dict[str, Any]:
    """Return the facts as a dict of plain values."""
    from fastmlp.engine import threads
    from fastmlp.kernels.machine import isa, jit

    features = isa.processor_features()
    return {
        "versions": {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
        "processor": _processor_name(),
        "features": [name for name in _FEATURES if name in features],
        "instruction_set": isa.current().name,
        "threads": threads.available(),
        "precision": precisions(isa.current(), features),
        "kernel_cache": _text_of(jit.cache_folder()),
        "carried_kernels": _text_of(jit.carried_folder()),
        "data_cache": _data_cache(),
    }


def precisions(isa: Any, features: Collection[str] = ()) -> dict[str, str]:
    """Describe what each ``matmul_precision`` does here, or why it has no effect.

    Parameters
    ----------
    isa : kernels.machine.isa.Isa
        The instruction set in use.
    features : collection of str
        The processor's features, by their LLVM names.

    """
    products = "float32 products"
    if isa.bf16_tiles:
        tiles = "bfloat16 tiles (AMX)"
        return {"highest": products, "high": f"three products on {tiles}", "medium": tiles}
    if isa.name == "amx":
        why = "the system does not let this process use the tile unit"
    elif "amx-bf16" in features:
        why = f"FASTMLP_ISA={isa.name} leaves the tile unit alone"
    else:
        why = "this processor has no bfloat16 tiles"
    same = f"as highest ({why})"
    return {"highest": products, "high": same, "medium": same}


def _text_of(folder: Path | None) -> str | None:
    return None if folder is None else str(folder)


def _data_cache() -> str | None:
    from fastmlp.datasets import cache_directory

    try:
        return str(cache_directory())
    except ValueError:  # no home
        return None


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:  # no such file on macOS and Windows
        pass
    return platform.processor() or platform.machine()


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {text}" for name, text in value.items())
    if isinstance(value, list):
        return " ".join(value) or "none of interest"
    if value is None:
        return "none"
    return str(value)
