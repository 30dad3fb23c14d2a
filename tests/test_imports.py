"""What importing fastmlp costs; test_architecture.py says which way imports may go."""

import ast
import sys
from pathlib import Path

import pytest
from fresh import run

import fastmlp

PACKAGE = Path(fastmlp.__file__).parent
KERNELS = PACKAGE.parent / "kernels"
if not KERNELS.exists():  # installed, not editable
    KERNELS = PACKAGE / "kernels"

HEAVY = (
    *("numba", "matplotlib", "sklearn", "scipy", "rich", "pandas", "joblib", "tqdm", "pooch"),
    *("numpy.random", "hashlib"),  # a third of what all of fastmlp would take
)


def modules():
    """Yield (module name, its path) for every file of the package and of the kernels."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if PACKAGE / "kernels" in path.parents:
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path
    for path in sorted(KERNELS.rglob("*.py")):
        parts = ("fastmlp", "kernels", *path.relative_to(KERNELS).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name, path, *, top_level_only=False):
    """Return the absolute names that a module imports, wherever the statement stands."""
    tree = ast.parse(path.read_text())
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    found = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, base]).rstrip(".")
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def test_importing_loads_nothing_heavy():
    seen = run(
        "import json, sys\nfrom fastmlp import *\n"
        f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    )

    assert seen == []


def test_importing_the_kernels_compiles_nothing():
    compiled = run(
        "import gc, json, fastmlp.ops, fastmlp.engine.lowering, fastmlp.kernels.engine.epoch\n"
        "from numba.core.dispatcher import Dispatcher\n"
        "kernels = [d for d in gc.get_objects() if issubclass(type(d), Dispatcher)\n"
        "           and d.py_func.__module__.startswith('fastmlp')]\n"
        "assert kernels\n"
        "print(json.dumps([str(d) for d in kernels if d.signatures]))"
    )

    assert compiled == []


def test_kernels_know_nothing_of_fastmlp():
    allowed = {"numpy", "numba", "llvmlite", "platformdirs", *sys.stdlib_module_names}
    for name, path in modules():
        if name.startswith("fastmlp.kernels"):
            for imported in imports(name, path):
                if imported.startswith("fastmlp"):
                    assert imported.startswith("fastmlp.kernels"), f"{name} imports {imported}"
                else:
                    assert imported.split(".")[0] in allowed, f"{name} imports {imported}"


def test_only_kernels_and_the_modules_next_to_them_touch_numba():
    for name, path in modules():
        if not name.startswith("fastmlp.kernels"):
            found = {i for i in imports(name, path, top_level_only=True) if i.startswith("numba")}
            assert not found, f"{name} imports numba when it is imported itself"


@pytest.mark.parametrize("name", fastmlp.__all__)
def test_every_public_name_exists_and_says_what_it_is(name):
    thing = getattr(fastmlp, name)

    if callable(thing):
        assert thing.__doc__
