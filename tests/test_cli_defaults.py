"""The accuracies promised for the defaults on the official data, if it is available."""

import json
import os

import pytest

from fastmlp.cli import main

PROMISES = [
    ("mnist", "FASTMLP_MNIST_DIR", 0.982),
    ("cifar10", "FASTMLP_CIFAR10_DIR", 0.56),
]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("dataset", "variable", "accuracy"), PROMISES)
def test_defaults_reach_what_the_readme_says(dataset, variable, accuracy, capsys):
    directory = os.environ.get(variable)
    if not directory:
        pytest.skip(f"{variable} is not set")

    code = main(["train", dataset, "--data-dir", directory, "--json"])

    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 0
    assert report["test_accuracy"] >= accuracy
