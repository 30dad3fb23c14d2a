"""The bundled digits, the Dataset class, and the cost of importing them."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from fastmlp import datasets


def test_digits_equal_scikit_learns():
    original = pytest.importorskip("sklearn.datasets").load_digits()

    ours = datasets.digits()

    rows = np.vstack([ours.X_train, ours.X_test])
    labels = np.concatenate([ours.y_train, ours.y_test])
    pairs = sorted(zip(map(bytes, rows), labels.tolist(), strict=True))
    theirs = zip(map(bytes, original.data.astype(np.uint8)), original.target.tolist(), strict=True)
    assert pairs == sorted(theirs)


def test_digits_hold_back_a_fifth_of_every_class():
    ours = datasets.digits()

    share = np.bincount(ours.y_test) / np.bincount(np.concatenate([ours.y_train, ours.y_test]))
    assert len(ours.X_test) == 355
    assert np.all(np.abs(share - 0.2) < 0.01)


def test_digits_have_the_documented_types():
    ours = datasets.digits()

    assert ours.X_train.dtype == np.uint8
    assert ours.y_train.dtype == np.int64
    assert ours.X_train.flags.c_contiguous
    assert ours.shape == (8, 8)
    assert ours.n_features == 64
    assert ours.n_classes == 10


def test_a_dataset_cannot_be_changed():
    ours = datasets.digits()

    with pytest.raises(dataclasses.FrozenInstanceError):
        ours.name = "other"  # pyright: ignore[reportAttributeAccessIssue] - it is refused


def test_repr_of_a_dataset_shows_sizes_but_no_rows():
    assert repr(datasets.digits()) == (
        "Dataset('digits', 1442 training and 355 test rows of 64 uint8, 10 classes)"
    )


def test_importing_datasets_brings_in_nothing_heavy():
    program = (
        "import sys, fastmlp; before = set(sys.modules); import fastmlp.datasets; "
        "print(*set(sys.modules) - before, '-', *sys.modules)"
    )

    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    added, loaded = (set(names.split()) for names in output.split(" - "))
    assert "numba" not in added
    assert not {"pooch", "requests", "tqdm", "pandas", "sklearn", "tarfile"} & loaded
