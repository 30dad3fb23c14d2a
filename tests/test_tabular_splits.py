"""Which rows the networks of an ensemble train on, and which they are validated with."""

import numpy as np
import pytest

from fastmlp.tabular.splits import folds, parts


def test_one_network_is_validated_with_a_fifth():
    (part,) = parts(50, None, n_networks=1, n_cv=None, given=False, seed=2)

    assert len(part.val) == 10
    assert sorted([*part.train, *part.val]) == list(range(50))


@pytest.mark.parametrize("labels", [None, np.arange(47) % 3])
def test_five_networks_are_validated_with_all_rows(labels):
    found = parts(47, labels, n_networks=5, n_cv=None, given=False, seed=2)

    assert sorted(np.concatenate([part.val for part in found])) == list(range(47))
    assert all(len(np.intersect1d(part.train, part.val)) == 0 for part in found)
    assert len({part.number for part in found}) == len({part.seed for part in found}) == 5


def test_rows_are_divided_anew_after_five_networks():
    found = parts(60, None, n_networks=7, n_cv=None, given=False, seed=0)

    assert not np.array_equal(found[0].val, found[5].val)


def test_networks_of_a_fold_have_the_same_rows_and_other_seeds():
    found = parts(30, None, n_networks=2, n_cv=3, given=False, seed=4)

    assert [part.number for part in found] == [0, 1, 2, 0, 1, 2]
    assert len({part.seed for part in found}) == 6
    np.testing.assert_array_equal(found[1].val, found[4].val)


@pytest.mark.parametrize(
    ("arguments", "turns"),
    [
        ({"n_networks": 7, "n_cv": None}, [0, 1, 2, 3, 4, 5, 6]),
        ({"n_networks": 2, "n_cv": 3}, [0, 0, 0, 1, 1, 1]),
        ({"n_networks": 6, "n_cv": None, "keep_folds": True}, [0, 0, 0, 0, 0, 1]),
    ],
)
def test_turns_are_counted_in_each_fold_that_is_kept(arguments, turns):
    found = parts(30, None, given=False, seed=4, **arguments)

    assert [part.turn for part in found] == turns


def test_given_validation_rows_leave_all_others_for_training():
    (part,) = parts(8, None, n_networks=1, n_cv=None, given=True, seed=0)

    assert part.val is None
    np.testing.assert_array_equal(part.train, np.arange(8))


def test_each_fold_has_its_share_of_each_class():
    labels = np.repeat([0, 1], [40, 8])

    fold_of = folds(48, labels, 4, seed=1)

    counts = np.bincount(fold_of * 2 + labels, minlength=8).reshape(4, 2)
    assert counts.tolist() == [[10, 2]] * 4


def test_a_few_rows_of_many_classes_can_be_divided():
    (part,) = parts(4, np.arange(4), n_networks=1, n_cv=None, given=False, seed=0)

    assert len(part.val) == 1
    assert len(part.train) == 3
