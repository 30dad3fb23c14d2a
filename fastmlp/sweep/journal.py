"""The finished runs of a search, kept in its folder so that a search can be resumed."""

import json
import numbers
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from fastmlp.common.files import write_whole
from fastmlp.common.messages import note
from fastmlp.ensemble import Ensemble
from fastmlp.model import Sequential
from fastmlp.storage.model_file import MAX_LAYERS, read
from fastmlp.sweep.ranges import Settings
from fastmlp.sweep.result import FAILED, Score, score

__all__ = ["Journal"]

_MODEL = ".safetensors"


class Journal:
    """A JSON file for each finished run, and the model of the best one.

    Attributes
    ----------
    records : dict of int to dict
        The runs' records, by the index of their settings. A run that raised an error is kept here
        but not in the folder, so that the next search tries it again.

    """

    def __init__(
        self,
        folder: Path,
        context: Any,
        settings: Sequence[Settings],
        scores: Sequence[Score],
        load: Callable[[Path], Any] | None = None,
    ):
        self.folder: Path = folder
        self.scores: Sequence[Score] = scores
        self.load: Callable[[Path], Any] = load or _network
        self.context: Any = context
        self.settings: Sequence[Settings] = settings
        self.records: dict[int, dict[str, Any]] = {}
        for index in range(len(settings)):
            record = _read(self._path(index), [one.name for one in scores])
            if record is not None:
                self.records[index] = record
        self._models: dict[int, Any] = {}

    def runs(self) -> list[dict[str, Any]]:
        """Return each run's settings and record as one dict, in the order of the settings."""
        return [self.settings[index] | self.records[index] for index in sorted(self.records)]

    def best(self) -> int | None:
        """Return the index of the best run; the first wins a tie. None if no run succeeded."""
        chosen = [index for index in sorted(self.records) if FAILED not in self.records[index]]
        return max(chosen, key=self._score, default=None)

    def _score(self, index: int) -> tuple[int, float]:
        return score(self.records[index], self.scores)

    def add(self, index: int, record: Mapping[str, Any], model: Any, *, keep: bool = False) -> None:
        """Record a run; keep its model if ``keep`` is true or it is the best so far."""
        path, before = self._path(index), self.best()
        plain = json.loads(json.dumps(dict(record), default=_plain))  # as it will be when read back
        self.records[index] = plain
        best = self.best() == index
        if best and hasattr(model, "save"):
            model.save(path.with_suffix(_MODEL))
        run = {"context": self.context, "settings": self.settings[index], "record": plain}
        write_whole(path, json.dumps(run, default=_plain).encode())
        if best:
            self._models = {index: model}
            if before not in (None, index):
                self._path(before).with_suffix(_MODEL).unlink(missing_ok=True)
        elif keep:
            self._models[index] = model

    def add_failed(self, index: int, why: str) -> None:
        """Record a failed run for this search only."""
        self.records[index] = {FAILED: why}

    def has_model(self, index: int) -> bool:
        """Return whether a run's model is still available and intact."""
        file = self._path(index).with_suffix(_MODEL)
        if index not in self._models and file.exists():
            try:
                self._models[index] = self.load(file)
            except (ValueError, TypeError) as error:
                note(f"{error}: the run is repeated")
        return index in self._models

    def keep_best_model(self, index: int) -> Any:
        """Return a run's model, and save a copy as ``best.safetensors`` in the folder."""
        model = self._models[index]
        if hasattr(model, "save"):
            model.save(self.folder / f"best{_MODEL}")
        return model

    def run_folder(self, index: int) -> Path:
        """Return the folder for what an unfinished run keeps."""
        return self._path(index).with_suffix("")

    def _path(self, index: int) -> Path:
        import hashlib  # it loads OpenSSL, which importing fastmlp should not

        key = json.dumps([self.context, self.settings[index]], sort_keys=True, default=_plain)
        return self.folder / f"run-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _network(path: Path) -> Any:
    model, _, _ = read(path, MAX_LAYERS, Sequential, Ensemble)
    return model


def _read(path: Path, scores: Sequence[str]) -> dict[str, Any] | None:
    """Return the record of a finished run, None if it is missing or damaged."""
    try:
        found: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):  # not JSON, or not even text
        found = None
    record: Any = cast("dict[str, Any]", found).get("record") if isinstance(found, dict) else None
    if _is_record(record, scores):
        return record
    note(f"{path} is damaged: the run is repeated")
    return None


def _is_record(found: Any, scores: Sequence[str]) -> bool:
    if not isinstance(found, dict) or not any(name in found for name in (*scores, FAILED)):
        return False
    record = cast("dict[str, Any]", found)
    known: list[object] = [record[name] for name in scores if record.get(name) is not None]
    return all(not isinstance(s, bool) and isinstance(s, numbers.Real) for s in known)


def _plain(value: Any) -> Any:
    """Convert a numpy number or any other object to a value that JSON can hold."""
    return cast("Any", value).item() if isinstance(value, np.generic) else repr(value)
