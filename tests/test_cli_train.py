"""`fastmlp train`, end to end on small data: what it prints, writes and returns."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastmlp
from fastmlp.cli import main

PROMISED = {
    "dataset",
    "test_accuracy",
    "val_accuracy",
    "train_seconds",
    "compile_seconds",
    "samples_per_second",
    "n_parameters",
    "epochs",
    "seed",
    "precision",
    "threads",
}


def train(capsys, *arguments):
    """Run the command with --json and return (exit code, lines before the last, its object)."""
    code = main(["train", *map(str, arguments), "--json"])
    *lines, last = capsys.readouterr().out.splitlines()
    return code, lines, json.loads(last)


@pytest.fixture
def flowers(tmp_path):
    """Write a CSV file with two classes that one column separates, and a column of text."""
    rng = np.random.default_rng(0)
    path = tmp_path / "flowers.csv"
    rows = [
        f"{length + 3 * kind:.3f},{rng.choice(['red', 'blue'])},{'iris' if kind else 'rose'}"
        for kind, length in zip(rng.integers(0, 2, 300), rng.normal(size=300), strict=True)
    ]
    path.write_text("\n".join(["length,colour,kind", *rows]) + "\n")
    return path


def test_the_last_line_is_one_json_object(capsys):
    code, _, report = train(capsys, "digits", "--epochs", 2)

    assert code == 0
    assert set(report) >= PROMISED
    assert report["dataset"] == "digits"
    assert report["epochs"] == 2
    assert 0.5 < report["test_accuracy"] <= 1
    assert 0.5 < report["val_accuracy"] <= 1


def test_to_a_pipe_it_prints_one_line_per_epoch(capsys):
    _, lines, _ = train(capsys, "digits", "--epochs", 3)

    assert [line[:9] for line in lines if line.startswith("epoch")] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert "".join(lines).isascii()


def test_the_same_seed_gives_the_same_result(capsys):
    results = [train(capsys, "digits", "--epochs", 2, "--seed", seed)[2] for seed in (5, 5, 6)]

    losses = [result["test_loss"] for result in results]
    assert losses[0] == losses[1] != losses[2]


def test_defaults_reach_97_percent_on_digits(capsys):
    _, _, report = train(capsys, "digits")

    assert report["test_accuracy"] >= 0.97


def test_out_writes_a_network_that_loads(capsys, tmp_path):
    from fastmlp.datasets import digits

    out = tmp_path / "digits.safetensors"
    _, _, report = train(capsys, "digits", "--epochs", 2, "--out", out)

    model = fastmlp.load(out)
    data = digits()
    _, accuracy = model.evaluate(data.X_test, data.y_test)
    assert accuracy == report["test_accuracy"]
    assert model.n_parameters == report["n_parameters"]


def test_plot_writes_a_picture(capsys, tmp_path):
    pytest.importorskip("matplotlib")

    code, _, _ = train(capsys, "digits", "--epochs", 2, "--plot", tmp_path / "picture.png")

    assert code == 0
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("target", "panels"),
    [
        ("kind", ["loss", "accuracy", "true class"]),
        ("length", ["loss", "predicted value", "residual (true - predicted)"]),
    ],
)
def test_plot_names_the_data_and_shows_how_well_test_rows_are_predicted(
    target, panels, capsys, flowers, tmp_path, monkeypatch
):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr("fastmlp.plots.save", lambda figure, path: drawn.append(figure))
    options = ["--epochs", 1, "--plot", tmp_path / "picture.png"]

    code, _, _ = train(capsys, flowers, "--target", target, *options)

    assert code == 0
    assert drawn[0].get_suptitle() == "flowers"
    assert [axes.get_ylabel() for axes in drawn[0].axes] == panels


@pytest.mark.parametrize(
    "options",
    [
        "--hidden none",
        "--hidden 16 --activation tanh --batch-norm --optimizer sgd --lr 0.1 --schedule step",
        "--hidden 16,8 --dropout 0 --optimizer momentum --lr 0.05 --schedule exponential",
        "--hidden 16 --optimizer nesterov --lr 0.05 --schedule cosine --weight-decay 0",
        "--hidden 16 --optimizer rmsprop --schedule warm-up --threads 1",
        "--hidden 16 --optimizer adagrad --schedule constant --val-fraction 0",
        "--hidden 16 --activation leaky_relu --optimizer adam --precision medium --batch-size 32",
    ],
)
def test_options_have_an_effect(options, capsys):
    code, _, report = train(capsys, "digits", "--epochs", 2, *options.split())

    assert code == 0
    assert report["test_accuracy"] > 0.3


def test_an_l2_penalty_keeps_weights_small_and_is_reported(capsys, tmp_path):
    norms = []
    for l2 in (0, 0.05):
        out = tmp_path / f"{l2}.safetensors"
        options = ["--epochs", 2, "--hidden", 16, "--l2", l2, "--out", out]
        code, lines, report = train(capsys, "digits", *options)

        assert code == 0
        assert report["options"]["l2"] == l2
        assert any(f"l2 {l2}" in line for line in lines) is (l2 > 0)
        weights = [p for name, p in fastmlp.load(out).params.items() if name.endswith("weight")]
        norms.append(sum(float((w**2).sum()) for w in weights))

    assert norms[1] < 0.9 * norms[0]


def test_without_validation_rows_its_accuracy_is_null(capsys):
    _, _, report = train(capsys, "digits", "--epochs", 1, "--val-fraction", 0)

    assert report["val_accuracy"] is None


def test_early_stopping_stops(capsys):
    _, _, report = train(
        capsys, "digits", "--epochs", 60, "--early-stopping", 1, "--lr", 0.05, "--hidden", 16
    )

    assert report["epochs"] < 60
    assert report["stopped"] == "early stopping"


def test_a_csv_file_with_classes(capsys, flowers):
    _, _, report = train(capsys, flowers, "--target", "kind")

    assert report["dataset"] == "flowers"
    assert report["test_accuracy"] > 0.8


def test_a_csv_file_with_values_far_from_zero(capsys, tmp_path):
    polars = pytest.importorskip("polars")
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    price = 100_000 + 20_000 * x + rng.normal(size=400)
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(["size,price", *(f"{a},{b}" for a, b in zip(x, price, strict=True))]))

    _, _, report = train(
        capsys, path, "--target", "price", "--out", tmp_path / "houses.safetensors"
    )

    assert report["test_accuracy"] is None
    assert report["test_r2"] > 0.9
    model = fastmlp.load(tmp_path / "houses.safetensors")
    answers = model.predict(polars.DataFrame({"size": ["0.0"]}))
    assert abs(float(answers[0]) - 100_000) < 10_000


def test_a_full_disk_is_one_sentence_and_nothing_half_written(capsys, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "digits.safetensors"
    code = main(["train", "digits", "--epochs", "1", "--out", str(out), "--json"])

    printed = capsys.readouterr()
    assert code == 1
    assert "could not be written" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert os.listdir(tmp_path) == []
    assert json.loads(printed.out.splitlines()[-1])["epochs"] == 1


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_keeps_what_was_learned(tmp_path):
    out = tmp_path / "digits.safetensors"
    command = [sys.executable, "-m", "fastmlp", "train", "digits", "--epochs", "1000000", "--json"]
    with subprocess.Popen(
        [*command, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 3/"):
                break
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)

    report = json.loads(rest.splitlines()[-1])
    assert process.returncode == 130
    assert report["stopped"] == "interrupted"
    assert report["test_accuracy"] > 0.5
    assert fastmlp.load(out).n_parameters == report["n_parameters"]
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is POSIX's")
def test_a_closed_pipe_is_no_error():
    command = [sys.executable, "-m", "fastmlp", "train", "digits", "--epochs", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=60)

    assert b"Traceback" not in errors


@pytest.mark.parametrize("name", ["net.onnx", "net.PT", "net.pkl"])
def test_a_name_of_another_format_is_refused_before_training(name, capsys, tmp_path):
    assert main(["train", "digits", "--epochs", "1", "--out", str(tmp_path / name)]) == 2

    printed = capsys.readouterr()
    assert "safetensors" in printed.err
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []
