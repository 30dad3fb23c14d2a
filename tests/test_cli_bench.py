"""`fastmlp bench` passes its options to the benchmarks of a checkout, if there is one."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fastmlp.cli.bench
from fastmlp.cli import main


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory, and a package that lies in no checkout."""
    monkeypatch.chdir(tmp_path)
    package = SimpleNamespace(__file__=str(tmp_path / "site-packages/fastmlp/__init__.py"))
    monkeypatch.setattr(fastmlp.cli.bench, "fastmlp", package)
    monkeypatch.delitem(sys.modules, "bench", raising=False)
    monkeypatch.delitem(sys.modules, "bench.side_by_side", raising=False)
    elsewhere = [path for path in sys.path if not (Path(path) / "bench").is_dir()]
    monkeypatch.setattr(sys, "path", elsewhere)
    yield tmp_path
    for name in ("bench", "bench.side_by_side"):  # what the test has imported from here
        sys.modules.pop(name, None)


def test_outside_a_checkout_one_sentence_tells_where_to_run_it(elsewhere, capsys):
    code = main(["bench"])

    assert code == 2
    assert "run this command in a checkout" in capsys.readouterr().err


def test_all_options_go_to_the_benchmark(elsewhere, capsys):
    (elsewhere / "bench").mkdir()
    (elsewhere / "bench/__init__.py").touch()
    (elsewhere / "bench/side_by_side.py").write_text(
        "def main(argv):\n    print(*argv)\n    return 1\n"
    )

    code = main(["bench", "--help", "mnist", "--json=x", "-q"])

    assert code == 1
    assert capsys.readouterr().out == "--help mnist --json=x -q\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--isa", "sse9"], "sse9"),
        (["products", "--shapes", "8x9"], "write rows, inputs and outputs as 128x784x10"),
        (["products", "--dtype", "float16"], "float16"),
        (["--rounds", "0"], "--rounds: expected a whole number, 1 or more"),
        (["--seconds", "nan"], "--seconds: expected a number above 0"),
        (["--seconds", "-3"], "--seconds: expected a number above 0"),
        (["--json", "no/such/folder/x.json"], "--json no/such/folder/x.json: the folder"),
        (["--markdown", "."], "--markdown .: is a folder"),
        (["--round", "3"], "did you mean '--rounds'?"),
        (["multiplying"], "unknown part 'multiplying': choose from training"),
        (["packs", "--networks", "8,none"], "--networks: expected a whole number, 1 or more"),
        (["packs", "--networks", "0"], "--networks: expected a whole number, 1 or more"),
        (["packs", "--workloads", "cifar"], "--workloads: unknown 'cifar', choose from tabular"),
        (["packs", "--peers", "jax"], "--peers: unknown 'jax', choose from fastmlp"),
        (["packs", "--grids", "iris"], "--grids: unknown 'iris', choose from digits"),
        (["packs", "--json", "no/such/folder/x.json"], "--json no/such/folder/x.json: the folder"),
    ],
)
def test_a_bad_option_is_refused_before_anything_is_measured(arguments, message, capsys):
    code = main(["bench", *arguments])

    assert code == 2
    assert message in capsys.readouterr().err
