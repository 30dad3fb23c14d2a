"""The orders in which epochs visit the rows, drawn as in scikit-learn."""

import numpy as np

from fastmlp.sklearn._progress import Progress

__all__ = ["Orders"]


class Orders:
    """Draws the order of each epoch, a permutation of that of the epoch before.

    Parameters
    ----------
    progress : Progress
        Its random state advances with every order, and it may hold the order to continue from.
    n_rows : int
    shuffle : bool
        Whether the order changes from epoch to epoch.
    visited : numpy.ndarray, int64, optional
        Indices of the rows to put in order. Default: all.

    Attributes
    ----------
    order : numpy.ndarray
        The last order drawn, of the numbers from 0 to n_rows - 1.

    """

    def __init__(
        self, progress: Progress, n_rows: int, shuffle: bool, visited: np.ndarray | None = None
    ):
        self._random_state, self._shuffle = progress.random_state, shuffle
        self._visited = visited
        found = progress.order
        self.order = np.arange(n_rows) if found is None or len(found) != n_rows else found

    def draw(self, n_epochs: int) -> np.ndarray:
        """Return the rows to visit in the next epochs, (n_epochs, n_rows); (1, n_rows) if equal."""
        if not self._shuffle:
            return self._rows(self.order[None])
        if n_epochs > 1:
            self._before = self.order, self._random_state.get_state()
        orders = np.empty((n_epochs, len(self.order)), np.int64)
        for order in orders:
            order[:] = self.order
            self._random_state.shuffle(order)
            self.order = order
        self.order = self.order.copy()  # the others need not stay in memory
        return self._rows(orders)

    def draw_fewer(self, n_epochs: int) -> None:
        """Make the last call of `draw` one for fewer epochs."""
        if self._shuffle:
            self.order, state = self._before
            self._random_state.set_state(state)
            self.draw(n_epochs)

    def _rows(self, orders: np.ndarray) -> np.ndarray:
        return orders if self._visited is None else self._visited[orders]
