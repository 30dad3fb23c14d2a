"""The callback that keeps checkpoints of a training run, from which it can be resumed."""

import contextlib
import math
import os
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastmlp.common.errors import argument, printable
from fastmlp.common.messages import note
from fastmlp.common.validation import positive, positive_int
from fastmlp.engine.runner import EpochResult
from fastmlp.storage.header import DamagedError, RefusedError
from fastmlp.training.callbacks import Callback, TrainingInfo
from fastmlp.training.history import History

__all__ = ["Checkpoint", "checkpoint_of"]

_NAME = re.compile(r"checkpoint-(\d{9,})\.safetensors")
_EPOCHS = re.compile(r"\s*(\d+)\s*epochs?\s*")


class Checkpoint(Callback):
    """Keep the whole state of training in files, so that a run that was killed can be resumed.

    It is a callback of ``Sequential.fit`` and of ``fastmlp.fit_many``.

    ::

        model.fit(X, y, epochs=100, callbacks=[Checkpoint("run", resume=True)])

    Killed at any moment, the same program started again continues from the newest file, and ends
    with the same bits as if it had never been killed, on any number of threads. A file holds the
    parameters, the layers' and the optimizer's state, the position, the history, the state of early
    stopping and the best parameters so far. `fastmlp.load` reads it too, as a model.

    Parameters
    ----------
    folder : path
        Holds the files of one run; created if it does not exist. The models of ``fit_many`` have
        folders of their own in it: ``model-0000`` and so on, by their places in the list.
    every : str or float, default "1 epoch"
        When to write: after a number of epochs, ``"5 epochs"``, or when that many seconds have
        passed, even in the middle of an epoch. Another file is written when training ends, and one
        on Ctrl-C.
    keep : int or None, default 2
        How many files to keep, the newest ones; None keeps all. With at least 2, a damaged newest
        file can be passed over.
    resume : bool, default False
        Whether to continue from the newest file in the folder, if there is one. A file that is
        damaged is reported, and the one before it is taken. Without ``resume``, a folder that
        holds checkpoints is refused.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid. ``fit`` raises ValueError if the run in the folder had other data
        or settings, and TypeError if the model, the optimizer or the schedule is of a class of your
        own, which a file cannot describe.

    Notes
    -----
    The data, and all arguments of ``fit`` except ``n_threads``, ``callbacks``, ``time_limit`` and
    ``verbose``, must be the same when a run is resumed. Of arrays above 64 MB a sample is compared.
    Other callbacks start afresh. If a file cannot be written, a warning says so and training goes
    on.

    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every: str | float = "1 epoch",
        keep: int | None = 2,
        resume: bool = False,
    ):
        self.folder: Path = Path(folder)
        self.every = every
        self.every_epochs: int | None
        self.every_seconds: float
        self.every_epochs, self.every_seconds = _interval(every)
        self.keep: int | None = None if keep is None else positive_int("keep", keep)
        self.resume: bool = bool(resume)
        self.settings: dict[str, Any] | None = None  # those of the run, if they are known already
        self._write: Callable[[Path, EpochResult | None], None] | None = None
        self._last = 0.0
        self._damaged: set[Path] = set()  # until there is something better

    def of_model(self, index: int) -> "Checkpoint":
        """Return what keeps the files of one of the models of ``fit_many``."""
        folder = self.folder / f"model-{index:04}"
        return Checkpoint(folder, self.every, self.keep, self.resume)

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Refuse what cannot be resumed."""
        if self._write is None:
            raise TypeError(
                "Checkpoint is a callback of Sequential.fit and fit_many, not of estimators"
            )

    def on_train_end(self, history: History) -> None:
        """Let go of the run."""
        self._write = None

    def follow(
        self,
        write: Callable[[Path, EpochResult | None], None],
        read: Callable[[Path], None],
    ) -> None:
        """Begin with a run: resume it if that is wanted and possible.

        Parameters
        ----------
        write : callable
            ``write(path, part)`` writes the state of the run; ``part`` are the steps of an epoch
            that is under way.
        read : callable
            ``read(path)`` restores it, or raises DamagedError.

        """
        self.folder.mkdir(parents=True, exist_ok=True)
        damaged = self.first_intact(read)
        for path, why in damaged.items():
            note(f"{printable(path)} is passed over: {why}")
        if damaged and len(damaged) == len(self.files()):
            note(f"no checkpoint in {printable(self.folder)} is intact: training starts anew")
        self._damaged = set(damaged)
        with contextlib.suppress(OSError):  # a folder that is only read
            self._remove_old()
        self._write, self._last = write, time.monotonic()

    def first_intact(self, read: Callable[[Path], None]) -> dict[Path, DamagedError]:
        """Read the newest file that is not damaged; return what is wrong with newer ones.

        Parameters
        ----------
        read : callable
            ``read(path)`` raises DamagedError, or RefusedError for a file of another run.

        Raises
        ------
        ValueError
            If there are files and none are wanted, or the newest is of another run.

        """
        found, damaged = self.files(), dict[Path, DamagedError]()
        if found and not self.resume:
            raise ValueError(
                f"the folder {printable(self.folder)} holds the checkpoints of an earlier run: "
                f"{_how_to_resume()} to continue it, or give another folder"
            )
        for path in found:
            try:
                read(path)
                break
            except DamagedError as error:
                damaged[path] = error
            except RefusedError as error:
                raise ValueError(f"{printable(path)} cannot be resumed from: {error}") from None
        return damaged

    def files(self) -> list[Path]:
        """Return the checkpoints in the folder, newest first."""
        named = [p for p in self.folder.glob("checkpoint-*") if _NAME.fullmatch(p.name)]
        return sorted(named, key=_step_of, reverse=True)

    def due(self, epochs_done: int | None = None) -> bool:
        """Tell whether it is time to write, after an epoch or within one."""
        if self.every_epochs is not None:
            return epochs_done is not None and epochs_done % self.every_epochs == 0
        return time.monotonic() - self._last >= self.every_seconds

    def write(self, step: int, part: EpochResult | None = None) -> None:
        """Write a file for the state after that many steps, and remove those not to be kept."""
        assert self._write is not None, "a run is being followed"
        path = self.folder / f"checkpoint-{step:09}.safetensors"
        try:
            self._write(path, part)
            self._damaged.discard(path)
            self._remove_old()
            if self.keep is not None:
                while self._damaged:
                    self._damaged.pop().unlink(missing_ok=True)
        except OSError as error:
            warnings.warn(
                f"the checkpoint {printable(path)} could not be written, training goes on: "
                f"{error.strerror or error}",
                RuntimeWarning,
                stacklevel=2,
            )
        self._last = time.monotonic()

    def _remove_old(self) -> None:
        """Remove files that are not to be kept; damaged ones do not count as newer."""
        if self.keep is not None:
            for old in [path for path in self.files() if path not in self._damaged][self.keep :]:
                old.unlink(missing_ok=True)


def checkpoint_of(callbacks: Any) -> Checkpoint | None:
    """Return the `Checkpoint` among the callbacks, None if there is none.

    Raises
    ------
    TypeError
        If there are several.

    """
    found = [callback for callback in callbacks if isinstance(callback, Checkpoint)]
    if len(found) > 1:
        raise TypeError(f"callbacks must have one Checkpoint at most, got {len(found)}")
    return found[0] if found else None


def _interval(every: Any) -> tuple[int | None, float]:
    """Return a number of epochs, or None and seconds."""
    name = argument("every")
    if not isinstance(every, str):
        return None, positive("every", every)
    found = _EPOCHS.fullmatch(every)
    if found and int(found[1]):
        return int(found[1]), math.inf
    raise ValueError(
        f"{name} must be a number of epochs, such as '1 epoch', or of seconds, got {every!r}"
    )


def _step_of(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else -1


def _how_to_resume() -> str:
    return f"give {argument('resume')}" if argument("resume") != "resume" else "pass resume=True"
