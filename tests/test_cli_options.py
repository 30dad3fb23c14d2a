"""The table of options: what follows from a row, and that no row leads nowhere."""

import argparse
import inspect
import json

import pytest

from fastmlp import Sequential
from fastmlp.cli import main, parser
from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.network import build_model, build_schedule
from fastmlp.cli.option import Option
from fastmlp.cli.options import OPTIONS, options_of
from fastmlp.cli.parsing import whole_number
from fastmlp.cli.settings import TRAINING, defaults_for, describe, for_library, resolve
from fastmlp.datasets import csv
from fastmlp.optimizers import OPTIMIZERS


def parsed(*arguments):
    return parser().parse_args(["train", *arguments])


def ids(options):
    return [option.name for option in options]


TRAINED = [option for option in OPTIONS if option.goes in TRAINING]


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_has_defaults_for_options_that_exist(dataset):
    known = {option.name for option in OPTIONS if option.by_dataset}

    assert set(DATASETS[dataset]) <= known


@pytest.mark.parametrize("option", TRAINED, ids=ids(TRAINED))
def test_a_row_ends_at_an_argument_that_takes_it(option):
    takers = {
        "network": build_model,
        "optimizer": OPTIMIZERS["adamw"],
        "schedule": build_schedule,
        "fit": Sequential.fit,
    }
    taken = set(inspect.signature(takers[option.goes]).parameters) | {"optimizer"}

    assert option.library_name in taken


def test_the_rows_of_tables_are_arguments_of_the_reader():
    rows = {option.library_name for option in OPTIONS if option.goes == "table"}

    assert rows <= set(inspect.signature(csv).parameters)


def test_what_is_not_given_comes_from_the_dataset():
    settings = resolve(parsed("digits", "--epochs", "3", "--dropout", "0"))

    assert (settings["epochs"], settings["dropout"]) == (3, 0.0)
    assert settings["hidden"] == DATASETS["digits"]["hidden"]
    assert settings["activation"] == "relu"


@pytest.mark.parametrize(("flags", "norm"), [([], True), (["--no-batch-norm"], False)])
def test_a_switch_can_be_turned_off_where_the_dataset_turns_it_on(flags, norm):
    assert resolve(parsed("cifar10", *flags))["batch_norm"] is norm


def test_values_are_handed_on_by_the_names_of_the_library():
    settings = resolve(parsed("digits", "--threads", "2", "--precision", "high"))

    fit = for_library(settings, "fit")
    assert (fit["n_threads"], fit["matmul_precision"]) == (2, "high")


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_help_shows_every_option_with_its_default(command, capsys):
    main([command, "--help"])

    shown = " ".join(capsys.readouterr().out.split())
    for option in options_of(command):
        assert option.flag in shown
        assert option.help_text() in shown


def test_help_shows_the_defaults_of_datasets_where_they_differ():
    option = Option("batch_size", "fit", "rows per step", whole_number(1), "N", 128, True)

    assert option.help_text() == "rows per step [128; digits: 64; cifar10: 256]"


def test_the_values_of_all_options_are_in_the_json_of_train(capsys):
    main(["train", "digits", "--epochs", "1", "--clip-norm", "2.5", "--json"])

    told = json.loads(capsys.readouterr().out.splitlines()[-1])["options"]
    assert set(told) == {option.name for option in options_of("train") if option.by_dataset}
    assert told["clip_norm"] == 2.5
    assert told["weight_decay"] == DATASETS["digits"]["weight_decay"]


def test_the_description_leaves_out_what_is_off():
    settings = defaults_for("a table") | {"dropout": 0.0, "weight_decay": 0.0, "hidden": ()}

    assert describe(settings) == (
        "hidden layers none, relu; adamw, lr 0.002, one_cycle, 30 epochs, batches of 128"
    )
    assert " 1 epoch, " in describe(settings | {"epochs": 1})


def test_the_description_names_what_is_on():
    settings = defaults_for("cifar10") | {"clip_norm": 0.5, "early_stopping": 4, "l2": 1e-4}

    line = describe(settings)
    for part in ("batch norm", "clip norm 0.5", "early stopping after 4 epochs", "l2 0.0001"):
        assert part in line


def test_the_description_counts_epochs_in_singular_and_plural():
    once, often = ({"epochs": n, "early_stopping": n} for n in (1, 2500))

    assert "1 epoch, batches of 128, early stopping after 1 epoch" in _described(once)
    assert "2,500 epochs, batches of 128, early stopping after 2,500 epochs" in _described(often)


def _described(changed):
    return describe(defaults_for("a table") | changed)


@pytest.mark.parametrize("dataset", ["digits", "a" * 60 + ".csv"])
def test_lines_about_data_and_network_fit_the_terminal(dataset, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if dataset != "digits":
        rows = "".join(f"{i % 7},{'xy'[i % 2]}\n" for i in range(300))
        (tmp_path / dataset).write_text("a,b\n" + rows)
    options = ["--hidden", "40,30,20,10", "--batch-norm", "--clip-norm", "1", "--epochs", "1"]

    assert main(["train", dataset, *options, *(["--target", "b"] * (dataset != "digits"))]) == 0

    lines = capsys.readouterr().out.splitlines()
    about = lines[: next(i for i, line in enumerate(lines) if line.startswith("epoch"))]
    assert len(about) >= 2
    assert max(map(len, about)) <= 80


@pytest.mark.parametrize("text", ["8:64", "relu:tanh"])
def test_only_numbers_with_decimals_have_ranges(text):
    (option,) = (o for o in OPTIONS if o.name == ("epochs" if text[0] == "8" else "activation"))
    command = argparse.ArgumentParser(exit_on_error=False)
    option.add_to(command, "sweep")

    with pytest.raises(argparse.ArgumentError, match="not a range"):
        command.parse_args([option.flag, text])
