"""The runs of `fastmlp sweep`: one at a time for its processes, or all together in a pack."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastmlp import fit_many
from fastmlp.callbacks import Checkpoint
from fastmlp.cli.data import Task
from fastmlp.cli.fitting import prepared, r2, scored
from fastmlp.cli.settings import Settings
from fastmlp.cli.wording import FLAGS
from fastmlp.common.errors import called
from fastmlp.sweep.run import Failed
from fastmlp.training.reasons import INTERRUPTED, failure, has_diverged

__all__ = ["Trainer"]

_SMALL = 1_000_000  # parameters: beyond, starting a process takes little of a run's time
_AT_ONCE = 25_000_000  # parameters of all networks of a pack, which are in memory together


@dataclass(frozen=True)
class Trainer:
    """Trains networks with the values that all runs share; sent to other processes."""

    task: Task
    settings: Settings
    checkpoint_every: str | float | None = None

    def __call__(
        self, seed: int, n_threads: int, checkpoint_folder: Path | None = None, **searched: Any
    ) -> Any:
        """Train one network; return it and its scores on the validation rows."""
        with called(FLAGS):
            model, fit = self._prepared(searched, seed, n_threads)
            if checkpoint_folder is not None and self.checkpoint_every is not None:
                keeper = Checkpoint(checkpoint_folder, self.checkpoint_every, resume=True)
                fit["callbacks"] = [*fit.get("callbacks", ()), keeper]
            X, y = self.task.X_train, self.task.to_learn(self.task.y_train)
            return self._finished(model, model.fit(X, y, verbose=False, **fit))

    def packs(self, parameters: Mapping[str, Any]) -> bool:
        """Tell whether all networks of a sweep are so small that they train together best."""
        hidden = parameters.get("hidden", [self.settings["hidden"]])
        n_inputs = self.task.X_train[0].size
        return all(_n_weights(n_inputs, h, self.task.n_outputs) <= _SMALL for h in hidden)

    def together(
        self,
        searched: Sequence[Settings],
        seed: int,
        n_threads: int,
        done: Callable[[int, Any], None],
    ) -> None:
        """Train networks side by side, and call ``done(place, outcome)`` for each."""
        with called(FLAGS):
            for places in self._groups(searched):
                self._pack([(place, searched[place]) for place in places], seed, n_threads, done)

    def _pack(
        self,
        todo: Sequence[tuple[int, Settings]],
        seed: int,
        n_threads: int,
        done: Callable[[int, Any], None],
    ) -> None:
        runs: list[tuple[int, Any, dict[str, Any]]] = []
        for place, own in todo:
            try:
                runs.append((place, *self._prepared(own, seed, None)))
            except (TypeError, ValueError) as error:
                done(place, error)
        if not runs:
            return
        searched, places = dict(todo), [place for place, _, _ in runs]
        fits = [fit for _, _, fit in runs]
        common: dict[str, Any] = {name: [fit[name] for fit in fits] for name in fits[0]}
        common["optimizers"], common["seeds"] = common.pop("optimizer"), common.pop("seed")
        common["n_threads"] = n_threads
        teller = _Teller(self, places, done)
        callbacks: list[Any] = [teller]
        if self.checkpoint_every is not None:
            folders = [searched[place]["checkpoint_folder"] for place in places]
            callbacks.append(_Keeper(folders, self.checkpoint_every))
        X, y = self.task.X_train, self.task.to_learn(self.task.y_train)
        try:
            fit_many([m for _, m, _ in runs], X, y, callbacks=callbacks, verbose=False, **common)
        except (TypeError, ValueError):  # one of them is wrong, which must not stop the others
            if teller.n_told:
                raise
            self._one_by_one({place: searched[place] for place in places}, seed, n_threads, done)
        if teller.interrupted:
            raise KeyboardInterrupt

    def _one_by_one(
        self,
        searched: Mapping[int, Settings],
        seed: int,
        n_threads: int,
        done: Callable[[int, Any], None],
    ) -> None:
        for place, own in searched.items():
            try:
                done(place, self(seed, n_threads, **own))
            except (TypeError, ValueError) as error:
                done(place, error)

    def _groups(self, searched: Sequence[Settings]) -> Iterator[list[int]]:
        """Yield the places of networks that are in memory together."""
        n_inputs = self.task.X_train[0].size
        total = 0

        def number(place: int) -> int:
            nonlocal total
            hidden = (self.settings | searched[place])["hidden"]
            total += _n_weights(n_inputs, hidden, self.task.n_outputs)
            return total // _AT_ONCE

        for _, places in itertools.groupby(range(len(searched)), number):
            yield list(places)

    def _prepared(
        self, searched: Settings, seed: int, n_threads: int | None
    ) -> tuple[Any, dict[str, Any]]:
        own = {"seed": seed, "threads": n_threads}
        return prepared(self.task, self.settings | searched | own)

    def _finished(self, model: Any, history: Any) -> tuple[Any, dict[str, Any]]:
        """Return a trained network and what the table tells of it."""
        task, scores = self.task, scored(model, self.task)
        ended = {"seconds": float(sum(history.seconds)), "stopped": history.stopped}
        if has_diverged(history.stopped):
            return model, ended | {"failed": history.stopped}
        val_loss, val_accuracy = scores["val"]
        if task.dataset.classes is None:
            return model, {"val_loss": val_loss, "val_r2": r2(val_loss, task.y_val)} | ended
        found = {
            "val_accuracy": val_accuracy,
            "val_loss": val_loss,
            "train_accuracy": history.accuracy[-1] if history.epochs else None,
        }
        return model, found | ended


class _Teller:
    """Tells of each run of a pack as soon as it has ended."""

    def __init__(self, trainer: Trainer, places: list[int], done: Callable[[int, Any], None]):
        self.trainer, self.places, self.done = trainer, places, done
        self.interrupted, self.n_told = False, 0

    def on_run_end(self, index: int, history: Any, model: Any) -> None:
        self.n_told += 1
        why = failure(history.stopped)
        if history.stopped == INTERRUPTED:  # it is not recorded, so that the next search repeats it
            self.interrupted = True
        elif why is not None:
            self.done(self.places[index], Failed(why))
        else:
            self.done(self.places[index], self.trainer._finished(model, history))


class _Keeper(Checkpoint):
    """Keeps the files of each run of a pack in the folder that the sweep gives the run."""

    def __init__(self, folders: Sequence[Path], every: str | float):
        super().__init__(folders[0].parent, every, resume=True)
        self.folders = folders

    def of_model(self, index: int) -> Checkpoint:
        """Return what keeps the files of one run."""
        return Checkpoint(self.folders[index], self.every, resume=True)


def _n_weights(n_inputs: int, hidden: Sequence[int], n_outputs: int) -> int:
    widths = [n_inputs, *hidden, n_outputs]
    return sum(a * b for a, b in itertools.pairwise(widths))
