"""Starts contenders in child processes, and times them in turn."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import instructions

__all__ = ["Child", "Measurement", "interleave"]

CHECKOUT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 600.0
REST_SECONDS = 0.03  # by then, the idle threads of the last contender have stopped spinning ...
# ... OpenBLAS's too, after 2**24 cycles. By default they spin for a tenth of a second, and take
# half of a processor from the next contender.
SPINNING = {"OPENBLAS_THREAD_TIMEOUT": "24"}


class Child:
    """One contender in its own process.

    Parameters
    ----------
    contender : str
        A name from `bench.peers` or `bench.inference`, or another name for what runs there.
    job : dict
        The job, in the form that `bench.worker` takes.
    level : str, default "best"
        Instruction set to limit it to, one of `bench.instructions.LEVELS`.
    environment : dict, optional
        Additional environment variables.

    Attributes
    ----------
    description : dict
        What it reported when it was ready: ``skipped`` (None or the reason), ``precision``,
        ``n_threads`` and ``compile_seconds``.

    """

    def __init__(
        self,
        contender: str,
        job: dict[str, Any],
        level: str = "best",
        environment: dict[str, str] | None = None,
    ):
        self.contender = contender
        variables = os.environ | instructions.environment(level) | SPINNING | (environment or {})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", json.dumps({**job, "level": level})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=CHECKOUT,
            env={name: value for name, value in variables.items() if value is not None},
        )
        self._errors: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            self.description = self._answer()
        except RuntimeError as error:
            self.description = {"skipped": str(error)}

    def ask(self, do: str, **details: Any) -> dict:
        """Send one question; return the answer.

        Raises
        ------
        RuntimeError
            If the contender exited instead; the message has the last line that it printed.

        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **details}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it exited; _answer reports how
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line.rstrip())

    def _answer(self) -> dict:
        assert self._process.stdout is not None
        timer = threading.Timer(PATIENCE_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            self._process.wait()
            self._listener.join()
            last = self._errors[-1] if self._errors else "it printed nothing"
            raise RuntimeError(f"{self.contender} exited with {self._process.returncode}: {last}")
        return json.loads(line)


@dataclass
class Measurement:
    """The measurements of one contender.

    Attributes
    ----------
    seconds : list of float
        Time of one repetition (an epoch or a prediction) in each round.
    ratios : list of float
        The same divided by fastmlp's time just before; empty for fastmlp itself.
    end : dict
        What it reported at the end: peak memory, losses or errors, and evidence of the
        instructions that it used.

    """

    contender: str
    description: dict
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    end: dict = field(default_factory=dict)


def interleave(
    children: list[Child], rounds: int, seconds: float, said: Callable[[str], None]
) -> list[Measurement]:
    """Time the contenders in turn: the first, a peer, the first, the next peer, and so on.

    Parameters
    ----------
    children : list of Child
        Contenders that are ready and not skipped; the others are compared with the first.
    rounds : int
        Number of turns of each contender.
    seconds : float
        Minimum length of a turn; a repetition that takes longer is run once.
    said : callable
        Called with the name of each contender at its turn.

    Returns
    -------
    list of Measurement
        In the order of `children`; a contender that failed has ``skipped`` in its description.

    """
    results = {
        child.contender: Measurement(child.contender, child.description) for child in children
    }
    repeats = {}
    for child in children:
        said(child.contender)
        repeats[child.contender] = calibrate(child, seconds, results[child.contender])

    def turn(child: Child) -> float:
        said(child.contender)
        n = repeats[child.contender]
        try:
            taken = child.ask("repeat", n=n)["seconds"] / n
        except RuntimeError as error:
            results[child.contender].description = {"skipped": str(error)}
            return float("nan")
        finally:
            time.sleep(REST_SECONDS)
        results[child.contender].seconds.append(taken)
        return taken

    base, *others = children
    for _ in range(rounds):
        if not others:
            turn(base)
        for child in others:
            if not results[child.contender].description["skipped"]:
                ours, theirs = turn(base), turn(child)
                results[child.contender].ratios.append(theirs / ours)
    for child in children:
        if not results[child.contender].description["skipped"]:
            said(child.contender)
            try:
                results[child.contender].end = child.ask("finish")
            except RuntimeError as error:
                results[child.contender].description = {"skipped": str(error)}
    return list(results.values())


def calibrate(child: Child, seconds: float, result: Measurement) -> int:
    """Warm `child` up; return how many repetitions take about `seconds`."""
    n = 1
    try:
        while True:
            taken = child.ask("repeat", n=n)["seconds"]
            if taken > seconds / 4:
                return max(1, round(n * seconds / taken))
            n *= 4
    except RuntimeError as error:
        result.description = {"skipped": str(error)}
        return 1
