"""Training the networks of an ensemble, several at a time, within a time limit."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.engine import threads
from fastmlp.engine.interrupt import Interrupt
from fastmlp.tabular.metrics import Metric
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part, parts
from fastmlp.tabular.training import Member, train_member
from fastmlp.training.callbacks import Callback

__all__ = ["HeldOut", "Learned", "Plan", "learn"]

MOST_NETWORKS = 32
"""With a time limit and no number of networks, no more are trained: they must also predict."""

_SHORTEST = 0.3
"""Share of the time of a whole network that a shorter one needs to be of use."""

_RESERVE = 0.02
"""Share of the time limit for what follows the training of networks."""


@dataclass(frozen=True)
class Plan:
    """What to train.

    Attributes
    ----------
    method : str
    metric : Metric
    n_networks : int or None
        None for one or, with a time limit, as many as it allows.
    n_cv : int or None
        Number of folds; ``n_networks`` are then trained for each.
    deadline : float or None
        When to be done, by ``time.monotonic()``.
    n_threads : int or None
    seed : int
    callbacks : sequence
        As of ``Sequential.fit``; several networks call them from several threads.
    told : callable, optional
        ``told(member, number, total)`` is called after each network.

    """

    method: str
    metric: Metric
    n_networks: int | None = None
    n_cv: int | None = None
    deadline: float | None = None
    n_threads: int | None = None
    seed: int = 0
    callbacks: Sequence[Any] = ()
    told: Any = None


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Validation rows, and the networks that did not train on them.

    Attributes
    ----------
    rows : Rows
    places : int ndarray, or None
        Where they stand among the training rows; None if the user gave them.
    members : list of Member

    """

    rows: Rows
    places: np.ndarray | None
    members: list[Member] = field(default_factory=list)

    def predicted(self) -> np.ndarray:
        """Return the mean of the networks' predictions."""
        return np.mean([member.predicted for member in self.members], axis=0)


@dataclass(frozen=True, eq=False)
class Learned:
    """The networks, in the order of the plan, and how they were validated."""

    members: list[Member]
    held_out: list[HeldOut]
    n_planned: int
    interrupted: bool


def learn(rows: Rows, val: Rows | None, n_classes: int, plan: Plan) -> Learned:
    """Train the networks of a plan.

    A single network uses all threads. Of several, each thread trains one at a time; they have the
    same bits then as on any other number of threads, but which of them there was time for depends
    on the machine. Ctrl-C ends the training and keeps what there is.

    Parameters
    ----------
    rows : Rows
        All rows but those that the user gives for validation.
    val : Rows or None
        Validation rows that the user gives.
    n_classes : int
        0 for numbers.
    plan : Plan

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C came before the first network had an epoch.

    """
    n_networks = plan.n_networks or (1 if plan.deadline is None else MOST_NETWORKS)
    todo = parts(
        len(rows),
        rows.y if n_classes else None,
        n_networks=n_networks,
        n_cv=plan.n_cv,
        given=val is not None,
        seed=plan.seed,
    )
    with Interrupt() as interrupt:
        found = _Trainer(rows, val, n_classes, plan, interrupt).run(todo)
    whole = {part: member for part, member in found.items() if not member.is_cut}
    kept = whole or found
    if interrupt.pending and not any(len(member.history) for member in kept.values()):
        raise KeyboardInterrupt
    held_out: dict[int, HeldOut] = {}
    for index in sorted(kept):
        part = todo[index]
        if part.number not in held_out:
            own = val if val is not None else rows.take(part.val)  # type: ignore[arg-type]
            held_out[part.number] = HeldOut(own, part.val)
        held_out[part.number].members.append(kept[index])
    members = [kept[index] for index in sorted(kept)]
    return Learned(members, list(held_out.values()), len(todo), interrupt.pending)


class _Trainer:
    """Trains the networks of a list, as many at a time as there are threads."""

    def __init__(
        self, rows: Rows, val: Rows | None, n_classes: int, plan: Plan, interrupt: Interrupt
    ):
        self.rows, self.val, self.n_classes, self.plan = rows, val, n_classes, plan
        self.stop = _Stop(interrupt)
        self.deadline = None
        if plan.deadline is not None:
            self.deadline = plan.deadline - _RESERVE * (plan.deadline - time.monotonic())

    def run(self, todo: Sequence[Part]) -> dict[int, Member]:
        """Return the networks by their place in the list; those without time are missing."""
        n_threads = self.plan.n_threads or threads.available()
        if len(todo) == 1 or n_threads == 1:
            return self._one_by_one(todo, n_threads)
        waiting = list(enumerate(todo))
        running: dict[Future[Member], int] = {}
        done: dict[int, Member] = {}
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < n_threads and self._has_time(done):
                        index, part = waiting.pop(0)
                        running[pool.submit(self._train, part, 1)] = index
                    if not running:
                        break
                    finished, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
                    for future in finished:
                        index = running.pop(future)
                        done[index] = future.result()
                        self._tell(done[index], len(done), len(todo))
            finally:
                self.stop.now = True
        return done

    def _one_by_one(self, todo: Sequence[Part], n_threads: int) -> dict[int, Member]:
        done: dict[int, Member] = {}
        for index, part in enumerate(todo):
            if not self._has_time(done):
                break
            done[index] = self._train(part, n_threads)
            self._tell(done[index], len(done), len(todo))
        return done

    def _train(self, part: Part, n_threads: int) -> Member:
        val = self.val if part.val is None else self.rows.take(part.val)
        assert val is not None
        return train_member(
            self.plan.method,
            self.rows if part.val is None else self.rows.take(part.train),
            val,
            n_classes=self.n_classes,
            metric=self.plan.metric,
            seed=part.seed,
            n_threads=n_threads,
            deadline=self.deadline,
            callbacks=[*self.plan.callbacks, self.stop],
        )

    def _has_time(self, done: Mapping[int, Member]) -> bool:
        """Tell whether another network may begin, if need be one with fewer epochs."""
        if self.stop.now or self.stop.interrupt.pending:
            return False
        if self.deadline is None or not done:
            return True
        slowest = max(member.seconds for member in done.values())
        return time.monotonic() + _SHORTEST * slowest <= self.deadline

    def _tell(self, member: Member, number: int, total: int) -> None:
        if self.plan.told is not None:
            self.plan.told(member, number, total)


class _Stop(Callback):
    """Ends the networks that are being trained after Ctrl-C or an error in one of them."""

    def __init__(self, interrupt: Interrupt):
        self.interrupt = interrupt
        self.now = False

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """Stop the network."""
        return "interrupted" if self.now or self.interrupt.pending else None
