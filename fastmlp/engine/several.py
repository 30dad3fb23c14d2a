"""Several epochs in one compiled call, in given orders, for those who look at each of them later.

Unlike a whole run, an epoch has no rule in compiled code: the caller knows how many epochs pass
before anything can depend on their results.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fastmlp.common.rows import Rows
from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.protocols import Copy
from fastmlp.engine.runner import EpochResult
from fastmlp.engine.whole import WholeRunner
from fastmlp.kernels.plan import op

__all__ = ["SeveralRunner"]

_NEVER = 2**62  # steps


class SeveralRunner(WholeRunner):
    """Trains several epochs in one compiled call per thread, with the bits of one after another.

    Attributes
    ----------
    seconds : list of float
        How long each epoch of the last call has taken.

    """

    seconds: list[float]

    def begin(self, rows: Rows, n_steps: int, start: Copy) -> None:
        """Set up what does not change between calls of `train_epochs`.

        Parameters
        ----------
        rows : Rows
        n_steps : int
            Steps per epoch.
        start : Copy
            A copy of what training changes; it stays as it is.

        """
        self.prepare(rows, None, None, n_steps, (1, 1), None, start, None, _NEVER)
        self._fades = np.ones((1, n_steps))

    def train_epochs(
        self, orders: np.ndarray, rates: np.ndarray, seconds: float, poll: Callable[[], None]
    ) -> list[EpochResult]:
        """Train epochs until all are done, or time is up, or something ends one early.

        Parameters
        ----------
        orders : numpy.ndarray, int64, shape (n_epochs, N) or (1, N)
            The rows to visit; one row if they are the same in every epoch.
        rates : numpy.ndarray, float64, shape (n_epochs, n_steps)
        seconds : float
            No epoch but the first starts after so many seconds.
        poll : callable
            Called about ten times a second in the main thread.

        Returns
        -------
        list of EpochResult
            At least one. Only the last may have diverged or been interrupted.

        """
        elsewhere = threading.current_thread() is not threading.main_thread()
        with Interrupt() as interrupt:  # the steps and their record must agree
            try:
                self.train_run(
                    len(rates), rates, self._fades, seconds, poll, interrupt, elsewhere, orders
                )
            except KeyboardInterrupt:  # a second Ctrl-C does not wait for the end of a step
                if self.ending is None or self.ending.losses.size == 0:
                    raise
            results = self._results()
        if interrupt.pending:
            results[-1] = replace(results[-1], interrupted=True)
        return results

    def _results(self) -> list[EpochResult]:
        """Divide what the last call has done into epochs."""
        memory, ending, n = self._memory, self.ending, self._n_steps
        assert ending is not None, "a call has just ended"
        self.ending = None
        self.seconds = ending.results[:, op.STEPS_SECONDS].tolist()
        losses, hits = ending.losses, memory[op.HITS_OUT]
        penalties, masses = memory[op.PENALTIES_OUT], memory[op.MASSES_OUT]
        parts = [slice(first, min(first + n, losses.size)) for first in range(0, losses.size, n)]
        results = [
            EpochResult(losses[part], penalties[part], masses[part], int(hits[part].sum()))
            for part in parts
        ]
        if ending.state == op.RUN_DIVERGED:
            results[-1] = replace(results[-1], diverged_step=len(results[-1].losses) - 1)
        self.seconds += [0.0] * (len(results) - len(self.seconds))
        return results
