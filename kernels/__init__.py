"""Hot kernels of fastmlp: numba functions over arrays; they check nothing and allocate nothing.

Read in this order: ``isa`` (what the processor offers), ``jit`` (the one compilation policy;
``cache`` keeps what it compiles, ``compiling`` shows that it does),
``simd`` and ``maths`` (the building blocks), ``affine`` (the three matrix products of a layer, over
``panels``; in lower precision ``affine_bf16``, over ``bf16``), the elementwise subjects
(``activations``, ``dropout``, ``losses``, ``optimizers``, ``normalization``, ``gather``),
``opcodes`` (what a plan is), ``links`` and ``memory``, and last ``engine`` with its ``passes`` and
``updates``, which runs whole epochs, and ``inference``.

A subject is imported when it is first asked for, as an attribute of this package: importing
fastmlp must not cost the time that importing numba takes.
"""

from importlib import import_module
from types import ModuleType

_SUBJECTS = {
    "activations",
    "affine",
    "affine_bf16",
    "bf16",
    "cache",
    "compiling",
    "denormals",
    "dropout",
    "engine",
    "gather",
    "inference",
    "isa",
    "jit",
    "links",
    "losses",
    "maths",
    "memory",
    "normalization",
    "opcodes",
    "optimizers",
    "panels",
    "passes",
    "simd",
    "threads",
    "updates",
}


def __getattr__(name: str) -> ModuleType:
    if name in _SUBJECTS:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_SUBJECTS)
