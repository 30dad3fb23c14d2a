"""The tiers of the package: every module has one, imports go down, and none goes in a circle.

An import counts wherever it stands: at the top, in a function, for type checkers alone.
"""

import ast
from pathlib import Path

import pytest

import fastmlp

PACKAGE = Path(fastmlp.__file__).parent
KERNELS = PACKAGE.parent / "kernels"
if not KERNELS.exists():  # installed, not editable
    KERNELS = PACKAGE / "kernels"

TIERS = {
    "command line": ["cli", "__main__"],
    "front door": ["", "api"],
    "public names": ["callbacks", "files", "history", "saving", "sequential", "stopping"],
    "uses of models": ["sklearn", "compat", "sweep", "tabular"],
    "around a model": ["ensemble", "gradcheck", "autoencoder", "plots", "report", "datasets"],
    "model": ["model", "predicting"],
    "training": ["training"],
    "parts of a model": [
        "layers",
        "losses",
        "optimizers",
        "schedules",
        "initializers",
        "storage",
        "export",
    ],
    "engine": ["engine", "ops"],
    "formulas": ["formulas"],
    "common": ["common"],
    "kernels": ["kernels"],
}
"""From the highest down: a name stands for a module, and for all modules of a package."""

MAX_LINES = 400


def modules():
    """Return the name of every module of fastmlp and of the kernels -> its path."""
    found = {}
    for root, prefix in ((PACKAGE, "fastmlp"), (KERNELS, "fastmlp.kernels")):
        for path in sorted(root.rglob("*.py")):
            if root is PACKAGE and PACKAGE / "kernels" in path.parents:
                continue
            parts = (prefix, *path.relative_to(root).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()

TESTS = Path(__file__).parent
OTHER_FILES = [*sorted(TESTS.rglob("*.py")), *sorted(TESTS.parent.joinpath("bench").glob("*.py"))]


def tier(module):
    """Return the number of a module's tier, 0 for the highest; None if it has none."""
    name = module.removeprefix("fastmlp").removeprefix(".")
    for number, names in enumerate(TIERS.values()):
        if name in names or name.split(".")[0] in names:
            return number
    return None


def imports(name):
    """Yield the modules of ours that a module imports."""
    path = MODULES[name]
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: 1 - node.level or None], base]).rstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in MODULES or base in MODULES:
                    yield inner if inner in MODULES else base


GRAPH = {name: sorted(set(imports(name)) - {name}) for name in MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_tier_and_imports_nothing_from_above(name):
    assert tier(name) is not None, f"{name} has no tier: give it one in TIERS"
    above = [other for other in GRAPH[name] if (tier(other) or 0) < tier(name)]
    assert not above, f"{name} imports {', '.join(above)} from above"


def test_imports_make_no_circle():
    done = set()

    def visit(name, path):
        assert name not in path, f"circle: {' -> '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for imported in GRAPH[name]:
                visit(imported, [*path, name])
            done.add(name)

    for name in GRAPH:
        visit(name, [])


@pytest.mark.parametrize("path", [*MODULES.values(), *OTHER_FILES], ids=lambda path: path.name)
def test_no_file_is_long(path):
    n_lines = len(path.read_text().splitlines())

    assert n_lines <= MAX_LINES, f"{path} has {n_lines} lines: divide it by subject"
