"""Bad values on the command line: one sentence to standard error, exit code 2, nothing else."""

import pytest

from fastmlp.cli import main

WRONG = [
    ("trian digits", "unknown command 'trian': did you mean 'train'?"),
    ("train digtis", "unknown dataset 'digtis': did you mean 'digits'?"),
    ("train digits --optimizer admw", "unknown optimizer 'admw': did you mean 'adamw'?"),
    ("train digits --activation rellu", "unknown activation 'rellu': did you mean 'relu'?"),
    ("train digits --schedule cosin", "unknown schedule 'cosin': did you mean 'cosine'?"),
    ("train digits --precision hihg", "unknown precision 'hihg': did you mean 'high'?"),
    ("train digits --epoch 3", "unknown option '--epoch': did you mean '--epochs'?"),
    ("train digits --batchsize=3", "unknown option '--batchsize': did you mean '--batch-size'?"),
    ("train digits extra", "unexpected argument 'extra'"),
    ("train digits --hidden 12,x", "expected the units of each hidden layer"),
    ("train digits --hidden 12,0", "expected the units of each hidden layer"),
    ("train digits --dropout 1", "expected a number from 0 to below 1, got '1'"),
    ("train digits --lr -1", "expected a number above 0, got '-1'"),
    ("train digits --lr nan", "expected a number above 0, got 'nan'"),
    ("train digits --weight-decay inf", "expected a number 0 or more, got 'inf'"),
    ("train digits --epochs 0", "expected a whole number, 1 or more, got '0'"),
    ("train digits --batch-size 1.5", "expected a whole number, 1 or more, got '1.5'"),
    ("train digits --seed -3", "expected a whole number, 0 or more, got '-3'"),
    ("train digits --val-fraction 1.2", "expected a number from 0 to below 1, got '1.2'"),
    ("train digits --target x", "--target names a column of a table"),
    ("train nowhere.csv", "--target is needed"),
    ("train nowhere.csv --target x", "nowhere.csv"),
    ("train mnist --data-dir nowhere", "nowhere"),
    ("train digits --out nowhere/model.safetensors", "the folder nowhere does not exist"),
    ("train digits --out .", "is a folder: give the name of a file"),
    ("train iris", "use one of cifar10, digits, fashion_mnist, mnist, or for a table FILE.csv"),
    ("train digits --activation swish", "unknown activation 'swish': did you mean 'silu'?"),
    ("train digits --optimizer nag", "unknown optimizer 'nag': did you mean 'nesterov'?"),
    ("train digits --schedule polynomial", "unknown schedule 'polynomial': use one of"),
    ("train digits --hidden 3000000,3000000", "needs about"),
    ("train digits --weight-decay 1e99 --epochs 1", "--weight-decay is 1e+99, too large"),
    ("sweep digits --epochs 1:9 --random 2", "values separated by ',', not a range"),
    ("sweep digits --hidden 8:16 --random 2", "values separated by '/', not a range"),
    ("sweep digits --lr 9e-2:1e-3 --random 2", "expected the lower number first"),
    ("sweep digits --lr 1e-4:1e-2", "give --random 20 for a random search"),
    ("train digits --early-stopping 3 --val-fraction 0", "--early-stopping"),
    ("--verison", "unknown option '--verison': did you mean '--version'?"),
    ("--epochs 3 train digits", "unknown option '--epochs': use one of --help, --version"),
    ("train digits --qwertz", "unknown option '--qwertz': see fastmlp train --help"),
    ("", "a command is needed, one of train, predict, evaluate, "),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_a_bad_value_gets_one_sentence_and_code_2(line, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    code = main(line.split())

    printed = capsys.readouterr()
    assert code == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("fastmlp")


def test_a_picture_of_unknown_format_is_refused_before_training(capsys):
    pytest.importorskip("matplotlib")

    code = main(["train", "digits", "--plot", "picture.gifx"])

    assert code == 2
    assert "the name of a picture ends in its format" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["--help", "train --help", "info --help", "warmup --help"])
def test_help_is_not_an_error(line, capsys):
    assert main(line.split()) == 0
    assert capsys.readouterr().out.startswith("usage: fastmlp")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("fastmlp ")


def test_case_and_underscores_do_not_matter():
    from fastmlp.cli.parsing import name_of

    assert name_of("schedule", ["one-cycle"])("One_Cycle") == "one-cycle"


@pytest.mark.parametrize(
    ("text", "sizes"), [("256,128", (256, 128)), ("64", (64,)), ("none", ()), ("", ())]
)
def test_hidden_sizes(text, sizes):
    from fastmlp.cli.parsing import hidden_sizes

    assert hidden_sizes(text) == sizes
