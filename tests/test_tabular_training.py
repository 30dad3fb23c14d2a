"""How the networks of a table are trained: in whole runs, which Ctrl-C and errors can end."""

import signal
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("narwhals")
pytest.importorskip("polars")

from tabular_support import birds

from fastmlp.engine.compiled import CompiledRunner
from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.validating import rows_at_once
from fastmlp.tabular import TabularClassifier, training
from fastmlp.tabular.encoder import Encoded
from fastmlp.tabular.metrics import metric_of
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part
from fastmlp.tabular.trainer import Trainer

pytestmark = pytest.mark.filterwarnings("ignore:the column 'ring' is left out:UserWarning")


def some_rows(n):
    numbers = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    return Rows(Encoded(numbers, np.empty((n, 0), np.int32), ()), numbers.sum(axis=1))


def parts_of(n_rows, n_networks):
    train, val = np.arange(n_rows // 2), np.arange(n_rows // 2, n_rows)
    return [Part(train, val, seed, 0, seed) for seed in range(n_networks)]


@pytest.mark.parametrize("n_networks", [1, 3])
def test_epochs_follow_each_other_without_python_in_between(n_networks, monkeypatch):
    def train_epoch(*_):
        raise AssertionError("an epoch had a call of its own")

    monkeypatch.setattr(CompiledRunner, "train_epoch", train_epoch)
    frame, species, _ = birds(60)
    model = TabularClassifier("realmlp-td-s", n_ensemble=n_networks, n_threads=2)
    assert model.fit(frame, species).predict(frame).shape == (60,)


def test_ctrl_c_ends_all_networks_that_are_being_trained(monkeypatch):
    recipes = []
    prepare = training.methods.prepare

    def prepared(*given, **settings):
        recipe = prepare(*given, **settings)
        recipes.append(replace(recipe, options=recipe.options | {"epochs": 20_000}))
        if len(recipes) == 2:
            signal.raise_signal(signal.SIGINT)
        return recipes[-1]

    rows, plan = some_rows(40), Plan("realmlp-td-s", metric_of("rmse", classes=False), n_threads=2)
    with Interrupt() as interrupt:
        trainer = Trainer(rows, None, 0, plan, interrupt)
        monkeypatch.setattr(training.methods, "prepare", prepared)
        found = trainer.run(parts_of(40, 4))
        assert {member.history.stopped for member in found.values()} == {"interrupted"}
        assert len(found) == 2


def test_an_error_in_one_network_ends_the_others(monkeypatch):
    prepare, begun = training.methods.prepare, []

    def prepared(*given, **settings):
        begun.append(settings["seed"])
        if len(begun) == 2:
            raise RuntimeError("no such network")
        recipe = prepare(*given, **settings)
        return replace(recipe, options=recipe.options | {"epochs": 20_000})

    rows, plan = some_rows(40), Plan("realmlp-td-s", metric_of("rmse", classes=False), n_threads=2)
    with Interrupt() as interrupt:
        monkeypatch.setattr(training.methods, "prepare", prepared)
        with pytest.raises(RuntimeError, match="no such network"):
            Trainer(rows, None, 0, plan, interrupt).run(parts_of(40, 2))


@pytest.mark.parametrize(
    ("n_rows", "n_threads", "size"), [(235, 2, 118), (480, 1, 240), (513, 2, 129), (1, 4, 1)]
)
def test_threads_share_validation_rows_evenly(n_rows, n_threads, size):
    assert rows_at_once(n_rows, n_threads) == size
