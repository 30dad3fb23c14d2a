"""What pyproject.toml says of the package holds: its version, its folders, its type hints."""

import tomllib
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import pytest

import fastmlp

CHECKOUT = Path(__file__).parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def package_folders(top: Path, name: str) -> set[str]:
    """Return the dotted names of a folder and of every folder in it that holds modules."""
    inside = {path.parent.relative_to(top) for path in top.rglob("*.py")}
    return {".".join((name, *folder.parts)) for folder in inside}


def test_the_version_is_defined_in_one_place():
    assert "version" not in PROJECT["project"]
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "fastmlp.__version__"}


def test_the_installed_version_is_the_one_in_the_code():
    assert version("fastmlp") == fastmlp.__version__, 'run pip install -e ".[test]" again'


def test_every_folder_with_modules_is_a_package_of_the_wheel():
    folders = package_folders(CHECKOUT / "fastmlp", "fastmlp")
    folders |= package_folders(CHECKOUT / "kernels", "fastmlp.kernels")
    assert set(SETUPTOOLS["packages"]) == folders


def test_packages_are_listed_once_and_in_order():
    assert SETUPTOOLS["packages"] == sorted(set(SETUPTOOLS["packages"]))


@pytest.mark.parametrize("package", SETUPTOOLS["packages"])
def test_every_package_has_an_init_file(package):
    assert resources.files(package).joinpath("__init__.py").is_file()


def test_type_checkers_are_told_that_the_package_is_typed():
    assert resources.files("fastmlp").joinpath("py.typed").is_file()
    assert "py.typed" in SETUPTOOLS["package-data"]["fastmlp"]
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]


@pytest.mark.parametrize(("package", "patterns"), SETUPTOOLS["package-data"].items())
def test_every_pattern_of_data_files_finds_something(package, patterns):
    folder = Path(str(resources.files(package)))
    assert all(any(folder.glob(pattern)) for pattern in patterns)


def test_other_programs_find_the_kernel_cache_where_it_always_was():
    from fastmlp.kernels.jit import cache_folder

    assert cache_folder().name.startswith("kernels-")
