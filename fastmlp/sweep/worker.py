"""The program that a search's worker processes run: it reads settings and writes outcomes."""

import os
import pickle
import queue
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from fastmlp.sweep.run import Failed, Train, attempt

__all__ = ["main"]


def main() -> None:
    """Train with each settings object read from standard input, until it closes."""
    requests, answers = sys.stdin.buffer, _answers()
    train_bytes, seed, n_threads = pickle.load(requests)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, tasks), daemon=True).start()
    train = _read(train_bytes)
    while True:
        settings = tasks.get()
        broken = isinstance(train, Failed)
        answers.write(_pickled(train if broken else attempt(train, settings, seed, n_threads)))
        answers.flush()


def _read(train: bytes) -> Train | Failed:
    try:
        return pickle.loads(train)
    except Exception as error:
        return Failed(f"train cannot be read in another process: {error}")


def _answers() -> IO[bytes]:
    """Return standard output, and redirect anything train prints to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    try:
        os.dup2(2, 1)
    except OSError:  # standard error is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    return answers


def _listen(requests: IO[bytes], tasks: "queue.SimpleQueue[Any]") -> None:
    """Queue incoming tasks; end this process at once when the pipe closes."""
    try:
        while True:
            tasks.put(pickle.load(requests))
    finally:
        os._exit(0)


def _pickled(outcome: Any) -> bytes:
    dumps: Callable[[Any], bytes]
    try:
        from cloudpickle import dumps  # type: ignore[import-untyped] # it has no types
    except ImportError:
        from pickle import dumps
    try:
        return dumps(outcome)
    except Exception as error:
        return pickle.dumps(Failed(f"its model cannot be sent to another process: {error}"))
