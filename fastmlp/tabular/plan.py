"""What to train for a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastmlp.tabular.metrics import Metric
from fastmlp.tabular.splits import N_FOLDS
from fastmlp.training.checkpoint import Checkpoint

__all__ = ["Plan"]

_SETTINGS_NEEDED = 2  # of a pack, for each fold


@dataclass(frozen=True)
class Plan:
    """What to train.

    Attributes
    ----------
    method : str
    metric : Metric
    n_networks : int or None
        None for one or, with a time limit, as many as it allows. Of a pack, so many are trained,
        and fewer chosen; None without a time limit is for 30.
    n_cv : int or None
        Number of folds; ``n_networks`` are then trained for each.
    deadline : float or None
        When to be done, by ``time.monotonic()``.
    n_threads : int or None
    seed : int
    callbacks : sequence
        As of ``Sequential.fit``; several networks call them from several threads.
    begun : callable, optional
        ``begun(total)`` is called before the first network.
    told : callable, optional
        ``told(member, number, total)`` is called after each network.
    checkpoint : Checkpoint, optional
        Keeps each network's files in a folder of its own, by its place in the list. Only without a
        deadline, which decides on the numbers of epochs.

    """

    method: str
    metric: Metric
    n_networks: int | None = None
    n_cv: int | None = None
    deadline: float | None = None
    n_threads: int | None = None
    seed: int = 0
    callbacks: Sequence[Any] = ()
    begun: Callable[[int], None] | None = None
    told: Any = None
    checkpoint: Checkpoint | None = None

    @property
    def is_asked(self) -> bool:
        """Whether the user says how many networks there must be."""
        return self.n_networks is not None or self.n_cv is not None

    @property
    def n_needed(self) -> int:
        """How many networks a time limit must leave time for, if need be by shorter trainings."""
        if self.n_networks is not None:
            return self.n_networks * (self.n_cv or 1)
        if self.method == "pack":
            return _SETTINGS_NEEDED * (self.n_cv or N_FOLDS)
        return self.n_cv or 1
