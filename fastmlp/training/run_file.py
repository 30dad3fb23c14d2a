"""The state of a training run in a checkpoint, and comparing its settings with a run's."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.common.errors import argument
from fastmlp.common.rows import Rows
from fastmlp.engine.runner import EpochResult
from fastmlp.storage import checked_file, optimizer_state
from fastmlp.storage.architecture import arrays_of, describe
from fastmlp.storage.header import DamagedError, RefusedError, parse
from fastmlp.storage.model_file import FORMAT, read_architecture
from fastmlp.training.blocks import Digests
from fastmlp.training.loop import Loop
from fastmlp.training.options import FitOptions
from fastmlp.training.stopping import Monitor, Snapshot
from fastmlp.training.stream import Stream

__all__ = ["read", "require_same", "settings_of", "write"]

_DAMAGED = (AttributeError, KeyError, TypeError, ValueError)


def settings_of(
    model: Any,
    options: FitOptions,
    monitor: Monitor | None,
    rows: Rows | Stream,
    validation: Rows | None,
    digests: Digests | None = None,
) -> dict[str, Any]:
    """Return all that decides the bits of a run, as plain values by name.

    Runs that share arrays should share ``digests``, which hash them once.

    Raises
    ------
    TypeError
        If the model or the optimizer cannot be described.

    """
    layers = describe(model)
    optimizer = optimizer_state.describe(options.optimizer)
    stopping = None
    if monitor is not None:
        later = ["later"] if monitor.later_wins else []
        stopping = [monitor.column, monitor.min_delta, monitor.patience, *later]
    digest = Digests() if digests is None else digests
    described = {
        "layers": layers["layers"],
        "dtype": layers["dtype"],
        "loss": layers.get("loss", type(options.loss).__name__),
        "optimizer": [optimizer["optimizer"], optimizer["settings"]],
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "l2": options.l2,
        "shuffle": options.shuffle,
        "drop_last": options.drop_last,
        "fade": None if options.fade is None else repr(options.fade),
        "seed": options.seed,
        "matmul_precision": options.matmul_precision,
        "data": rows.digest() if isinstance(rows, Stream) else digest(rows),
        "validation_data": None if validation is None else digest(validation),
        "early_stopping": stopping,
        "restore_best": options.restore_best,
    }
    return _decoded(_encoded(described))


def write(
    path: Path,
    loop: Loop,
    optimizer: Any,
    settings: dict[str, Any],
    start: tuple[int, int],
    stopped: str | None,
    part: EpochResult | None,
) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    path : path
    loop : Loop
    optimizer : Optimizer
    settings : dict
        From `settings_of`.
    start : tuple of int
        The optimizer's steps and epochs when the run began.
    stopped : str or None
        Why the run has ended before its last epoch, also if it is resumed.
    part : EpochResult, optional
        The steps of an epoch that is under way.

    """
    model, history, rule = loop.info.model, loop.history, loop.rule
    run = {
        "settings": settings,
        "start": list(start),
        "stopped": stopped,
        "monitor": None if not isinstance(rule, Monitor) else _of_monitor(rule),
        "part": None if part is None else {"n_correct": int(part.n_correct)},
    }
    texts = {
        "architecture": json.dumps({"format": FORMAT} | describe(model)),
        "optimizer": json.dumps(optimizer_state.describe(optimizer)),
        "run": _encoded(run),
    }
    arrays = arrays_of(model) | optimizer_state.state_arrays(optimizer, model)
    records = _encoded(history.epochs).encode()
    arrays["run/records"] = np.frombuffer(records, np.uint8)
    arrays["run/steps"] = history.steps
    if loop.best is not None and rule is not None and rule.has_best:
        arrays |= _copies("best", loop.best)
    if part is not None:
        assert loop.last_good is not None, "a fit always has a copy to go back to"
        arrays |= {f"part/{name}": array for name, array in part.arrays().items()}
        arrays |= _copies("good", loop.last_good)
    checked_file.write(path, texts, arrays)


def read(
    path: Path, loop: Loop, optimizer: Any, settings: dict[str, Any]
) -> tuple[tuple[int, int], EpochResult | None]:
    """Restore the state in a checkpoint; return its ``start`` and ``part``, see `write`.

    Raises
    ------
    DamagedError
        If the file is damaged; nothing has changed then.
    RefusedError
        If it is a file of another kind, or of a run with other data or settings.

    """
    texts, arrays = checked_file.read(path)
    try:
        architecture = read_architecture(texts, True)
        run = _run_in(texts, settings)
        described = parse(texts["optimizer"])
        records = _decoded(bytes(arrays["run/records"]).decode())
        part = None
        if run["part"] is not None:
            steps: dict[str, Any] = _named("part", arrays)
            part = EpochResult(**steps, n_correct=run["part"]["n_correct"])
    except RefusedError:
        raise
    except _DAMAGED:
        raise DamagedError("its header is corrupt") from None
    model = loop.info.model
    own = arrays_of(model)
    if any(arrays[name].shape != array.shape for name, array in own.items()):
        raise RefusedError("its arrays do not match the model's layers")
    for layer, entry in zip(model.stages, architecture["layers"], strict=True):
        for name, value in layer.config().items():  # a callback may have changed settings
            if value != entry[name]:
                setattr(layer, name, entry[name])
    for name, array in own.items():
        array[...] = arrays[name]
    optimizer_state.put_state(optimizer, model, described, arrays)
    if part is not None:
        optimizer.t -= len(part.losses)
    _restore_copies(loop, arrays)
    if isinstance(loop.rule, Monitor):
        loop.rule.best, loop.rule.best_epoch, loop.rule.waited = run["monitor"]
        loop.history.best_epoch = loop.rule.best_epoch
    loop.history.epochs = records
    loop.history.add_steps(arrays["run/steps"])
    loop.continue_from(len(records), part is not None, run["stopped"])
    return tuple(run["start"]), part


def require_same(path: Path, settings: dict[str, Any]) -> None:
    """Raise as `read` would, for a file that is damaged or of another run, but change nothing."""
    texts, _ = checked_file.read(path)
    try:
        _run_in(texts, settings)
    except RefusedError:
        raise
    except _DAMAGED:
        raise DamagedError("its header is corrupt") from None


def _run_in(texts: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says about its run, which must have had these settings."""
    if "run" not in texts:
        raise RefusedError("it is a saved model, not a checkpoint of a run")
    run = _decoded(texts["run"])
    _require_same(run["settings"], settings)
    return run


def _restore_copies(loop: Loop, arrays: dict[str, np.ndarray]) -> None:
    best, good = _named("best", arrays), _named("good", arrays)
    if loop.best is not None and best:
        loop.best.put(best)
    if loop.last_good is not None:
        loop.last_good.save()
        if good:
            loop.last_good.put(good)


def _require_same(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raise RefusedError for the first setting that differs."""
    for name in ours:
        before, now = theirs[name], ours[name]
        if before == now:
            continue
        if isinstance(before, str | int | float | bool) and "data" not in name:
            raise RefusedError(
                f"its run had {argument(name, before)}, this one has {argument(name, now)}: resume "
                "it with the same, or use another folder"
            )
        other = f"other {name}" if "data" in name or name == "layers" else f"another {name}"
        raise RefusedError(f"its run had {other}: resume it with the same, or use another folder")


def _of_monitor(monitor: Monitor) -> list[Any]:
    return [monitor.best, monitor.best_epoch, monitor.waited]


def _copies(prefix: str, snapshot: Snapshot) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": copy for name, copy in snapshot.copies.items()}


def _named(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = {n: array for n, array in arrays.items() if n.startswith(f"{prefix}/")}
    return {name.removeprefix(f"{prefix}/"): array for name, array in found.items()}


def _encoded(value: Any) -> str:
    """Return plain values as JSON, which has no word for infinity and NaN."""
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(
        "a checkpoint can hold numbers and texts, but a callback has added "
        f"{value!r:.60} to the history"
    )


def _decoded(text: str) -> Any:
    return json.loads(text, object_hook=_number)


def _number(found: dict[str, Any]) -> Any:
    return float(found["float"]) if found.keys() == {"float"} else found
