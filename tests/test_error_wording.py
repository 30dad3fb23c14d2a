"""The wording of errors: suggestions of similar names, and names that the user knows."""

import numpy as np
import pytest

import fastmlp
from fastmlp import initializers, losses, schedules
from fastmlp.cli import parser
from fastmlp.cli.defaults import DATASETS
from fastmlp.cli.network import build_schedule
from fastmlp.cli.wording import FLAGS
from fastmlp.common.aliases import ALIASES
from fastmlp.common.errors import argument, called, unknown
from fastmlp.common.validation import fraction, positive, positive_int, seed_int
from fastmlp.datasets.encoding import COMMON as ENCODINGS
from fastmlp.layers import ACTIVATIONS
from fastmlp.optimizers import OPTIMIZERS

KNOWN = {
    "loss": losses.LOSSES,
    "optimizer": OPTIMIZERS,
    "activation": ACTIVATIONS,
    "schedule": schedules.SCHEDULES,
    "initializer": initializers.INITIALIZERS,
    "dataset": DATASETS,
    "encoding": ENCODINGS,
}


@pytest.mark.parametrize(
    ("kind", "name", "ours"),
    [
        ("loss", "mean_squared_error", "mse"),
        ("loss", "MSELoss", "mse"),
        ("loss", "BCEWithLogitsLoss", "binary_cross_entropy"),
        ("loss", "sparse_categorical_crossentropy", "cross_entropy"),
        ("optimizer", "SGDM", "momentum"),
        ("activation", "swish", "silu"),
        ("activation", "logistic", "sigmoid"),
        ("schedule", "CosineAnnealingLR", "cosine"),
        ("schedule", "OneCycleLR", "one_cycle"),
        ("initializer", "xavier_uniform", "glorot"),
        ("dataset", "Fashion-MNIST", "fashion_mnist"),
        ("encoding", "ANSI", "windows-1252"),
    ],
)
def test_names_from_other_libraries_suggest_fastmlps(kind, name, ours):
    assert f"did you mean {ours!r}?" in str(unknown(kind, name, KNOWN[kind]))


@pytest.mark.parametrize(("kind", "aliases"), ALIASES.items())
def test_every_alias_stands_for_a_name_that_exists(kind, aliases):
    assert set(aliases.values()) <= set(KNOWN[kind])
    assert all(alias.isalnum() and alias == alias.lower() for alias in aliases)


@pytest.mark.parametrize("name", ["iris", "wine", "titanic", "x", ""])
def test_an_unrelated_name_gets_the_list_of_names(name):
    message = str(unknown("dataset", name, [*DATASETS, "FILE.csv"]))

    assert "did you mean" not in message
    assert "digits" in message
    assert "FILE.csv" in message


def test_a_misspelt_name_gets_the_nearest_name():
    assert "did you mean 'Price'" in str(unknown("column", "pirce", ["Price", "Rooms"]))


@pytest.mark.parametrize(
    ("check", "name", "value", "option"),
    [
        (positive_int, "batch_size", 0, "--batch-size must be"),
        (positive_int, "n_threads", 1.5, "--threads must be"),
        (positive, "clip_norm", -1, "--clip-norm must be"),
        (fraction, "val_fraction", 7, "--val-fraction must be"),
        (seed_int, "seed", -1, "--seed must be"),
    ],
)
def test_the_same_check_names_options_on_the_command_line(check, name, value, option):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must be"):
        check(name, value)
    with called(FLAGS), pytest.raises((ValueError, TypeError), match=f"^{option}"):
        check(name, value)


def test_advice_is_worded_for_python_and_for_the_shell():
    assert argument("n_runs", 20) == "n_runs=20"
    with called(FLAGS):
        assert argument("n_runs", 20) == "--random 20"
        assert argument("of_no_option", "x") == "of_no_option='x'"
    assert argument("n_runs") == "n_runs"


def test_every_option_that_a_message_can_name_exists():
    commands = next(a for a in parser()._actions if a.choices and "train" in a.choices).choices
    known = set().union(*(c._option_string_actions for c in commands.values()))

    assert set(FLAGS.values()) <= known


@pytest.mark.parametrize("schedule", schedules.SCHEDULES)
def test_every_schedule_on_the_command_line_has_its_own_class(schedule):
    built = build_schedule(schedule, lr=0.3, epochs=7, steps_per_epoch=10)

    rates = built.rates(0, 70, 10, 70)
    assert type(built) is schedules.SCHEDULES[schedule]
    assert rates.max() == pytest.approx(0.3, rel=1e-3)
    assert rates.min() >= 0


def test_an_unknown_schedule_does_not_become_a_constant_rate():
    with pytest.raises(ValueError, match="unknown schedule 'polynomial'"):
        build_schedule("polynomial", lr=0.3, epochs=7, steps_per_epoch=10)


class OwnLoss:
    def value_and_gradient(self, outputs, targets, sample_weight):
        return 0.0, np.zeros_like(outputs)


def fitted(**given):
    """Train a model for one epoch."""
    model = fastmlp.Sequential(fastmlp.Linear(2, 3), seed=1)
    return model.fit(np.ones((4, 2)), [0, 1, 2, 0], epochs=1, **given)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: fastmlp.Sequential(fastmlp.Linear(2, 3), fastmlp.Tanh),
            "got the class Tanh: call",
        ),
        (lambda: fastmlp.Sequential([fastmlp.Linear(2, 3)]), r"write Sequential\(\*layers\)"),
        (
            lambda: fitted(optimizer=fastmlp.Lion),
            r"the class Lion: call it, as in Lion\(\)",
        ),
        (lambda: fitted(callbacks=[fastmlp.Checkpoint]), "got the class Checkpoint"),
        (lambda: fitted(loss=list), "got the class list"),
    ],
    ids=["layer", "layers", "optimizer", "callback", "loss"],
)
def test_a_class_instead_of_an_object_is_told(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_a_loss_of_your_own_is_called_by_its_class(capsys):
    fitted(loss=OwnLoss)

    assert "the loss OwnLoss() cannot be compiled" in capsys.readouterr().err
