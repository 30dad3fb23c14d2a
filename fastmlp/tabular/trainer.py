"""Training the networks of a list, several at a time, within a time limit."""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from fastmlp.engine import threads
from fastmlp.engine.interrupt import Interrupt
from fastmlp.tabular.methods import settings_of
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import Part
from fastmlp.tabular.training import Member, TimeFrame, train_member
from fastmlp.training.halt import Halt, HaltedRun
from fastmlp.training.reasons import INTERRUPTED

__all__ = ["Trainer"]

_SHORTEST = 0.3
"""Share of the time of a whole network that a shorter one needs to be of use."""

_LEAST_ASKED = 0.1
"""The same for a network that the user asks for."""

_RESERVE = 0.02
"""Share of the time limit for what follows the training of networks."""

_LEAST = 0.03
"""Share of the time limit that a first network has if compiling takes longer than the limit."""


class Trainer:
    """Trains the networks of a list, as many at a time as there are threads.

    Parameters
    ----------
    rows : Rows
    val : Rows or None
        Validation rows that the user gives.
    n_classes : int
        0 for numbers.
    plan : Plan
    interrupt : Interrupt
    hurried : bool, default False
        Whether there is hardly time for one network: it comes first and has all threads and all
        the time.

    """

    def __init__(
        self,
        rows: Rows,
        val: Rows | None,
        n_classes: int,
        plan: Plan,
        interrupt: Interrupt,
        *,
        hurried: bool = False,
    ):
        self.rows, self.val, self.n_classes, self.plan = rows, val, n_classes, plan
        self.interrupt, self.halt, self.hurried = interrupt, Halt(), hurried
        self.settings: set[int] = set()  # of all networks that have begun
        self.deadline, self.least = None, 0.0
        if plan.deadline is not None:
            limit = plan.deadline - time.monotonic()
            self.deadline, self.least = plan.deadline - _RESERVE * limit, _LEAST * limit

    def run(self, todo: Sequence[Part]) -> dict[int, Member]:
        """Return the networks by their place in the list; those without time are missing."""
        n_threads = self.plan.n_threads or threads.available()
        if len(todo) == 1 or n_threads == 1:
            return self._one_by_one(todo, n_threads)
        done = self._one_by_one(todo[:1], n_threads) if self.hurried else {}
        begun = len(done)
        running: dict[Future[Member], int] = {}
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                while begun < len(todo) or running:
                    while begun < len(todo) and len(running) < n_threads:
                        if not self._has_time(done, begun, todo[begun]):
                            break
                        frame = self._frame(begun, len(todo), n_threads)
                        halted = HaltedRun(self.halt, 1)
                        self.halt.add(halted)
                        network = (begun, todo[begun], 1, frame, halted)
                        running[pool.submit(self._train, *network)] = begun
                        begun += 1
                    if not running:
                        break
                    finished, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
                    if self.interrupt.pending:
                        self.halt.now(INTERRUPTED)
                    for future in finished:
                        index = running.pop(future)
                        done[index] = future.result()
                        self._tell(done[index], len(done), len(todo))
            finally:
                self.halt.now(INTERRUPTED)  # after an error in one of them, the others end too
        return done

    def _one_by_one(self, todo: Sequence[Part], n_threads: int) -> dict[int, Member]:
        done: dict[int, Member] = {}
        for index, part in enumerate(todo):
            if not self._has_time(done, index, part):
                break
            done[index] = self._train(index, part, n_threads, self._frame(index, len(todo), 1))
            self._tell(done[index], len(done), len(todo))
        return done

    def _frame(self, index: int, n_networks: int, at_once: int) -> TimeFrame | None:
        """Return how long a network may take, so that there is time for all that are needed.

        If the user does not say how many networks there must be, better have a few good ones.
        """
        if self.deadline is None:
            return None
        now = time.monotonic()
        n_needed = 1 if self.hurried else min(self.plan.n_needed, n_networks)
        rounds = max(1, math.ceil((n_needed - index) / at_once))
        deadline = now + (self.deadline - now) / rounds
        latest = deadline if self.plan.is_asked else self.deadline
        return TimeFrame(deadline, latest, self.least)

    def _train(
        self,
        index: int,
        part: Part,
        n_threads: int,
        time_frame: TimeFrame | None,
        halted: HaltedRun | None = None,
    ) -> Member:
        """Train a network; ``halted`` ends it if another thread than the main one trains it."""
        self.settings.add(settings_of(self.plan.method, part.turn))
        keeps = self.plan.checkpoint
        callbacks = [*self.plan.callbacks]
        callbacks += [] if halted is None else [halted]
        callbacks += [] if keeps is None else [keeps.of_model(index)]
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
            time_frame=time_frame,
            number=part.turn,
            callbacks=callbacks,
        )

    def _has_time(self, done: Mapping[int, Member], index: int, part: Part) -> bool:
        """Tell whether the next network may begin, if need be one with fewer epochs."""
        if self.interrupt.pending:
            return False
        if self.deadline is None or not done:
            return True
        share = _LEAST_ASKED if self.plan.is_asked and index < self.plan.n_needed else _SHORTEST
        needs = max(
            m.around + share * (m.seconds - m.around - m.history.compile_seconds)
            for m in done.values()
        )
        if settings_of(self.plan.method, part.turn) not in self.settings:
            # other layers may need other kernels
            needs += max(member.history.compile_seconds for member in done.values())
        return time.monotonic() + needs <= self.deadline

    def _tell(self, member: Member, number: int, total: int) -> None:
        if self.plan.told is not None:
            self.plan.told(member, number, total)
