"""`fastmlp info`: versions, processor, threads, folders, and what each precision does here."""

import argparse
import json
import platform
from importlib.metadata import version
from typing import Any

__all__ = ["add_parser", "run"]

_PACKAGES = ("fastmlp", "numpy", "numba", "llvmlite")
_FEATURES = ("avx2", "fma", "avx512f", "avx512bf16", "amx-tile", "amx-bf16", "neon", "bf16")


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("info", help="say what is installed and what this machine can do")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a table, or one JSON object."""
    facts = collect()
    if arguments.json:
        print(json.dumps(facts))
        return 0
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<16}{_plain(value)}")
    return 0


def collect() -> dict[str, Any]:
    """Return the facts as a dict of plain values."""
    from fastmlp import threads
    from fastmlp.datasets import cache_directory
    from fastmlp.kernels import isa, jit

    features = isa.processor_features()
    return {
        "versions": {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
        "processor": _processor_name(),
        "features": [name for name in _FEATURES if name in features],
        "instruction_set": isa.current().name,
        "threads": threads.available(),
        "precision": precisions(isa.current()),
        "kernel_cache": str(jit.cache_folder()),
        "data_cache": str(cache_directory()),
    }


def precisions(isa: Any) -> dict[str, str]:
    """Say what each ``matmul_precision`` does on an instruction set (`kernels.isa.Isa`)."""
    float32 = "float32 products"
    if isa.bf16_tiles:
        unit = "bfloat16 tiles (AMX)"
    elif isa.bf16_dots:
        unit = "bfloat16 dot products (AVX-512)"
    else:
        same = f"{float32}, as highest: this processor has nothing faster"
        return {"highest": float32, "high": same, "medium": same}
    return {"highest": float32, "high": f"three products on {unit}", "medium": unit}


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
    return str(value)
