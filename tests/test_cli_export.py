"""`fastmlp export` writes a saved model in another format."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import error, require, run

from fastmlp import Linear, Sequential, Tanh
from fastmlp.cli import main

FILES = Path(__file__).parent / "files"


@pytest.fixture
def saved(tmp_path):
    """Return a model and the file that it is saved in."""
    model = Sequential(Linear(4, 7), Tanh(), Linear(7, 2), seed=8)
    model.save(tmp_path / "saved.safetensors")
    return model, tmp_path / "saved.safetensors"


@pytest.mark.parametrize(
    ("runner", "name"), [("onnxruntime", "net.onnx"), ("gcc", "net.h"), ("node", "net.js")]
)
def test_the_end_of_the_name_says_the_format(runner, name, saved, tmp_path, capsys):
    require(runner)
    model, file = saved
    X = np.random.default_rng(2).normal(size=(9, 4))

    assert main(["export", str(file), str(tmp_path / name)]) == 0

    assert error(run(runner, tmp_path / name, X), model.predict(X)) < 1e-6
    assert capsys.readouterr().out == f"wrote {tmp_path / name}\n"


def test_weights_of_8_bits_are_an_option(saved, tmp_path):
    assert main(["export", str(saved[1]), str(tmp_path / "net.h"), "--int8"]) == 0

    assert "signed char net_weight" in (tmp_path / "net.h").read_text()


def test_what_is_wrong_is_said_in_the_terms_of_the_shell(saved, tmp_path, capsys):
    assert main(["export", str(saved[1]), str(tmp_path / "net.onnx"), "--int8"]) == 2

    assert "--int8 is for C headers: name a file that ends in .h" in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_named(saved, tmp_path, capsys):
    assert main(["export", str(saved[1]), str(tmp_path / "none" / "net.h")]) == 2

    assert "FILE" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_a_model_of_a_table_is_exported_without_scikit_learn(kind, tmp_path):
    pytest.importorskip("polars")
    table = FILES / f"table-format-1-realmlp-td-s-{kind}.safetensors"
    code = (
        "import sys\n"
        "sys.modules['sklearn'] = None\n"  # importing it fails
        "from fastmlp.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["export", str(table), str(tmp_path / "birds.js")]

    subprocess.run([sys.executable, "-c", code, *arguments], check=True)

    module = (tmp_path / "birds.js").read_text(encoding="utf-8")
    assert "export const columns" in module
    assert ("export const classes" in module) == (kind == "classifier")


def test_a_file_that_is_no_model_is_refused(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("hello world")

    assert main(["export", str(tmp_path / "notes.txt"), str(tmp_path / "net.h")]) == 2

    assert "cannot be loaded as a model" in capsys.readouterr().err
