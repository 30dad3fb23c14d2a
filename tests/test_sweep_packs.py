"""A sweep over small networks trains them side by side, to the same table as one by one."""

import json

import numpy as np
import pytest

from fastmlp import load, sweep
from fastmlp.cli import main, trainer

SMALL = ["--epochs", "2", "--threads", "2"]


@pytest.fixture
def packs(monkeypatch):
    """Return a list that grows by the number of networks of each pack."""
    found = []
    fit_many = trainer.fit_many

    def noted(models, *args, **kwargs):
        found.append(len(models))
        return fit_many(models, *args, **kwargs)

    monkeypatch.setattr(trainer, "fit_many", noted)
    return found


def report(capsys, *options):
    code = main(["sweep", *options, "--json"])
    assert code == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def without_seconds(runs):
    return [{k: v for k, v in run.items() if k != "seconds"} for run in runs]


@pytest.mark.parametrize(
    "options",
    [
        ["--lr", "1e-3,5e-3", "--hidden", "16/8,4", "--optimizer", "momentum"],
        ["--batch-size", "32,100", "--l2", "0,1e-3", "--schedule", "cosine"],
        ["--epochs", "1,3", "--dropout", "0:0.5", "--random", "5", "--seed", "4"],
    ],
)
def test_a_pack_gives_the_table_of_one_run_after_the_other(options, packs, capsys):
    options = ["digits", "--hidden", "16", *SMALL, *options]
    one_by_one = report(capsys, *options, "--jobs", "1")
    assert packs == []

    together = report(capsys, *options)

    assert packs == [len(together["runs"])]
    for name in ("test_accuracy", "test_loss"):
        assert together[name] == one_by_one[name]
    assert without_seconds(together["runs"]) == without_seconds(one_by_one["runs"])


def test_regressions_too(packs, capsys, tmp_path):
    x = np.random.default_rng(0).normal(size=200)
    path = tmp_path / "prices.csv"
    path.write_text("x,price\n" + "".join(f"{v},{3e5 + 1e4 * v}\n" for v in x))
    options = [str(path), "--target", "price", "--hidden", "8", *SMALL, "--lr", "0.02,1e-6"]

    together = report(capsys, *options)

    assert without_seconds(together["runs"]) == without_seconds(
        report(capsys, *options, "--jobs", "1")["runs"]
    )
    assert packs == [2]


def test_a_stopped_pack_resumes(packs, tmp_path, capsys, monkeypatch):
    options = ["digits", "--hidden", "8", *SMALL, "--lr", "1e-3,2e-3,3e-3", "--out", str(tmp_path)]
    finished = trainer.Trainer._finished
    n_finished = 0

    def stopping(self, model, history):
        nonlocal n_finished
        n_finished += 1
        if n_finished == 2:
            raise KeyboardInterrupt
        return finished(self, model, history)

    monkeypatch.setattr(trainer.Trainer, "_finished", stopping)
    assert main(["sweep", *options]) == 130
    assert len(list(tmp_path.glob("run-*.json"))) == 1
    monkeypatch.setattr(trainer.Trainer, "_finished", finished)

    resumed = report(capsys, *options)

    assert packs == [3, 2]
    assert len(resumed["runs"]) == 3
    assert load(tmp_path / "best.safetensors").layers[-1].out_features == 10


def test_a_run_that_diverges_says_so_in_the_table(capsys, packs):
    options = ["digits", "--hidden", "8", *SMALL, "--optimizer", "sgd", "--lr", "1e30,1e-6"]

    runs = report(capsys, *options)["runs"]

    assert runs[1]["failed"].startswith("diverged")
    assert runs[0]["lr"] == 1e-6
    assert packs == [2]


def test_a_run_with_a_wrong_value_does_not_stop_the_others(capsys):
    options = ["digits", "--hidden", "8", *SMALL, "--l2", "1e-60,0.1,0.01"]

    together, one_by_one = (report(capsys, *options, *jobs) for jobs in ([], ["--jobs", "1"]))

    assert "--l2" in together["runs"][-1]["failed"]
    assert without_seconds(together["runs"]) == without_seconds(one_by_one["runs"])


@pytest.mark.parametrize(
    ("hidden", "small"), [("128,128", True), ("64/2000", True), ("8/900,1200", False)]
)
def test_the_rule_counts_the_weights_of_the_largest_network(hidden, small, capsys, monkeypatch):
    asked = []

    def search(*_, train_many, **__):
        asked.append(train_many is not None)
        raise ValueError("asked enough")

    monkeypatch.setattr(sweep, "search", search)
    main(["sweep", "digits", "--hidden", hidden, "--lr", "0.1,0.2"])

    assert asked == [small]
    capsys.readouterr()


def test_few_large_networks_are_in_memory_at_a_time(packs, capsys, monkeypatch):
    monkeypatch.setattr(trainer, "_AT_ONCE", 1500)  # digits, 8 hidden units: 592 weights each
    options = ["digits", "--hidden", "8", *SMALL, "--lr", "1e-4,1e-3,2e-3,3e-3,4e-3"]

    report(capsys, *options)

    assert packs == [2, 3]
