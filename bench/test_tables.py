"""The comparison on real tables: its splits, its resumable results, ranks and report."""

import json

import numpy as np
import pytest

from bench import table_suite, tables
from bench.ranks import holm, ranked
from bench.table_job import few_rows
from bench.table_methods import METHODS, TWINS
from bench.table_report import errors_of, markdown, relative

MACHINE = {"processor": "a processor", "threads": 2, "versions": {"fastmlp": "1"}}


def record(method, table="cells", split=0, error=0.2, **more):
    return {
        "table": table, "split": split, "method": method, "n_threads": 1, "most_rows": 10_000,
        "level": "best", "skipped": None, "kind": table_suite.TABLES[table].kind, "error": error,
        "n_train": 1616, "n_test": 400, "fit_seconds": 2.0, "fit_processor_seconds": 1.0,
        "predict_seconds": 0.02, "predict_processor_seconds": 0.01, "load": 0.0, **more,
    }  # fmt: skip


def test_ranks_of_a_published_example():
    # Demsar (2006), table 6: C4.5, and with m, cf, both; 14 data sets. A fourth digit breaks the
    # tie that rounding makes in the last but one, as its ranks there do.
    errors = 1.0 - np.array([
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
    ])  # fmt: skip

    found = ranked(["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"], errors)

    assert found.methods == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")
    np.testing.assert_allclose(found.means, (1.964, 2.000, 2.893, 3.143), atol=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.01)
    # The paper's chi-squared, 9.28, divided by 1 - 78 / 840 because of its four ties.
    assert found.friedman == pytest.approx(0.0167, abs=1e-4)
    assert found.groups() == [(0, 3)]


def test_holm_multiplies_the_smallest_probability_by_the_number_of_tests():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_the_few_rows_that_warm_a_method_up_have_every_class():
    pd = pytest.importorskip("pandas")
    y = np.r_[np.zeros(70, int), [2, 1], np.zeros(30, int)]
    frame = pd.DataFrame({"x": np.arange(102.0)})

    split = few_rows(table_suite.Split(frame, y, frame, y, np.zeros(102, bool), "class"))

    assert set(split.y[split.val]) == set(split.y[~split.val]) == {0, 1, 2}


def test_the_other_tables_have_one_name():
    names = tables.listed_tables("wage,more")

    assert names[0] == "wage"
    assert set(names[1:]) == set(table_suite.ALL_TABLES) - set(table_suite.TABLES)


def test_twins_are_compared_on_the_splits_that_both_have():
    errors = errors_of([
        record("realmlp-td", split=0, error=0.1),
        record("realmlp-td", split=1, error=0.9),
        record(TWINS["realmlp-td"], split=0, error=0.2),
    ])  # fmt: skip

    assert relative(errors, "cells", "realmlp-td", TWINS["realmlp-td"]) == pytest.approx(0.5)
    assert relative(errors, "cells", "realmlp-td", "LightGBM") is None


def test_no_wrong_row_counts_as_half_of_one():
    assert errors_of([record("LightGBM", error=0.0)])["cells", "LightGBM"] == {0: 0.5 / 400}


def test_the_report_has_errors_with_their_spread_ratios_times_and_what_was_left_out():
    records = [
        record("realmlp-td-s", split=0, error=0.10),
        record("realmlp-td-s", split=1, error=0.12),
        record("HistGradientBoosting", split=0, error=0.20),
        record(TWINS["realmlp-td-s"], split=0, error=0.10, fit_processor_seconds=9.0),
        record("realmlp-td-s", table="wage", error=0.8),
        record("HistGradientBoosting", table="wage", error=1.0),
        {**record("CatBoost"), "skipped": "catboost is not installed"},
    ]

    text = markdown(records, MACHINE)

    assert "| 0.1100 ± 0.0141 (2) | 0.2000 (1) | **0.1000** (1) |" in text
    assert "| realmlp-td-s | 0.500 | 1 | 0.800 | 1 |" in text
    assert "| realmlp-td-s | cells | 1 | 0.1000 | 0.1000 |  | 1.000 | 1.0 | 9.0 | 9.0 |" in text
    assert "| 1. realmlp-td-s | 1.00 |" in text
    assert "- CatBoost was skipped: catboost is not installed" in text


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    done = []

    def run(job):
        done.append((job["method"], job["split"]))
        if len(done) == 2:
            raise KeyboardInterrupt
        return {**record(job["method"]), **job}

    monkeypatch.setattr(tables, "run", run)
    arguments = ["--results", str(tmp_path / "found.json"), "--tables", "cells", "--splits", "2",
                 "--methods", "LightGBM", "--markdown", str(tmp_path / "report.md")]  # fmt: skip

    assert tables.main(arguments) == 0
    assert tables.main(arguments) == 0

    assert done == [("LightGBM", 0), ("LightGBM", 1), ("LightGBM", 1)]
    saved = json.loads((tmp_path / "found.json").read_text())["records"]
    assert [r["split"] for r in saved] == [0, 1]


def test_a_failed_job_is_told_and_tried_again(tmp_path, monkeypatch, capsys):
    answers = iter([{"failed": "exited with 1: too few rows"}, {}])
    monkeypatch.setattr(
        tables, "run", lambda job: {**record(job["method"]), **job, **next(answers)}
    )
    arguments = ["--results", str(tmp_path / "found.json"), "--tables", "cells", "--splits", "1",
                 "--methods", "LightGBM", "--markdown", str(tmp_path / "report.md")]  # fmt: skip

    assert tables.main(arguments) == 1
    assert "LightGBM on cells: exited with 1: too few rows" in capsys.readouterr().err
    assert tables.main(arguments) == 0


@pytest.mark.parametrize("name", ["cells", "ames"])
def test_a_split_has_a_fifth_for_testing_and_validates_with_a_fifth_of_the_rest(name):
    if why := table_suite.missing():
        pytest.skip(why)

    split = table_suite.load(name, 1)
    again = table_suite.load(name, 1)

    n = len(split.y) + len(split.y_test)
    assert len(split.y_test) == n // 5
    assert split.val.sum() == len(split.y) // 5
    assert not split.X.index.intersection(split.X_test.index).size
    assert split.X.index.equals(again.X.index)


@pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].warm_up is None])
def test_peers_learn_from_a_table_with_texts_and_missing_values(method):
    from bench.table_methods import skipped

    if why := table_suite.missing() or skipped(method):
        pytest.skip(why)
    split = few_rows(table_suite.load("credit", 0, 200))

    predicted = METHODS[method].fit(split, 0, 1, **METHODS[method].settings)(split.X_test)

    assert predicted.shape == split.y_test.shape
    assert set(predicted) <= set(split.y)
