"""Where the rows of a buffer come from: arrays read in stretches, or the user's blocks."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from fastmlp.common.numeric import as_numbers
from fastmlp.common.rows import Rows
from fastmlp.common.validation import as_data, native
from fastmlp.losses import Loss
from fastmlp.training.mapped import advise

__all__ = ["CalledBlocks", "ConvertedBlocks", "Digests", "array_digest"]

_HEAVIEST = 2.0**40  # of a weight: products and long sums then stay finite in float32
_HASHED = 1 << 18  # bytes of a block
_PIECE = 1 << 19  # bytes that are checked and copied at a time


class ConvertedBlocks:
    """Reads arrays in stretches of neighbouring rows, converted to what the network takes.

    Attributes
    ----------
    n_rows : int
    digest : callable
        Returns a hash of the arrays.
    first : Rows
        A row as the network takes it, which shows the shapes and dtypes.

    """

    def __init__(self, model: Any, X: np.ndarray, targets: np.ndarray, weights: Any):
        self._model, self._X, self._targets, self._weights = model, X, targets, weights
        self.n_rows: int = len(X)
        self._is_checked = False  # after the first epoch
        self.digest: Callable[[], str] = partial(array_digest, X, targets, weights)
        self.first: Rows = self._rows(0, 1)

    def stretches(self, n_rows: int, rng: "np.random.Generator | None") -> np.ndarray:
        """Return where the stretches of an epoch begin, in the order in which they are read."""
        starts = np.arange(0, self.n_rows, n_rows)
        return starts if rng is None else rng.permutation(starts)

    def read(self, starts: np.ndarray, n_rows: int) -> Iterator[Rows]:
        """Yield stretches of ``n_rows`` rows, in pieces that fit into a processor's cache."""
        n_piece = max(1, _PIECE // max(1, self._X[:1].nbytes))
        for number, start in enumerate(starts.tolist()):
            for later in starts[number + 1 : number + 2]:
                advise(self._X[later : later + n_rows], "MADV_WILLNEED")
            stop = min(start + n_rows, self.n_rows)
            for begin in range(start, stop, n_piece):
                yield self._rows(begin, min(begin + n_piece, stop))
            advise(self._X[start:stop], "MADV_DONTNEED")
        self._is_checked = True

    def _rows(self, start: int, stop: int) -> Rows:
        part, model = slice(start, stop), self._model
        name, finite = f"X in rows {start} to {stop - 1}", not self._is_checked
        X = as_data(self._X[part], model.dtype, name, finite=finite, exact=model.takes_exactly)
        weights = None if self._weights is None else self._weights[part]
        return Rows(X, self._targets[part], weights)


class CalledBlocks:
    """Reads the blocks of rows that a function of the user yields.

    They are read once on creation, to check and count them.

    Parameters
    ----------
    model : Sequential
    loss : Loss
    batches : callable
        ``batches()`` returns an iterator over blocks (X, y) or (X, y, sample_weight).

    """

    def __init__(self, model: Any, loss: Loss, batches: Callable[[], Any]):
        self._model, self._loss, self._batches = model, loss, batches
        self._hash: Any = _sha256()
        self.n_rows: int = 0
        first: Rows | None = None
        for rows in self.read(np.empty(0), 0):
            if first is None:
                copies: Any = (None if a is None else a[:1].copy() for a in _arrays(rows))
                first = Rows(*copies)
            for of_first, array in zip(_arrays(first), _arrays(rows), strict=True):
                _require_alike(of_first, array)
                if array is not None:
                    self._hash.update(array.reshape(-1).view(np.uint8)[:_HASHED].data)
            self._hash.update(str(len(rows)).encode())
            self.n_rows += len(rows)
        if first is None:
            raise ValueError("batches() gave no blocks: a new iterator must begin at each call")
        self.first: Rows = first

    def digest(self) -> str:
        """Return a hash of samples of all blocks."""
        return self._hash.hexdigest()

    def stretches(self, n_rows: int, rng: "np.random.Generator | None") -> np.ndarray:
        """Return nothing, since the user decides on the order of the blocks."""
        return np.empty(0)

    def read(self, starts: np.ndarray, n_rows: int) -> Iterator[Rows]:
        """Yield the blocks, checked."""
        blocks = self._batches()
        try:
            for number, block in enumerate(blocks):
                yield self._checked(block, f" of block {number}")
        finally:
            if hasattr(blocks, "close"):
                blocks.close()

    def _checked(self, block: Any, where: str) -> Rows:
        if not isinstance(block, tuple | list) or len(block) not in (2, 3):
            raise TypeError(
                f"batches() must yield tuples (X, y) or (X, y, sample_weight), got "
                f"{type(block).__name__}"
            )
        rows = self._model.check_data(self._loss, block[0], block[1], suffix=where)
        weights = block[2] if len(block) == 3 else None
        if weights is None:
            return rows
        return Rows(rows.X, rows.targets, self._weights(weights, len(rows), where))

    def _weights(self, weights: Any, n_rows: int, where: str) -> np.ndarray:
        """Check weights; they are not scaled, since only one block of them is known."""
        found = as_numbers(weights, f"sample_weight{where}").astype(np.float64)
        if found.shape != (n_rows,):
            raise ValueError(
                f"sample_weight{where} must have one weight for each of the {n_rows} rows, got "
                f"shape {found.shape}"
            )
        if not (found.min() >= 0 and found.max() <= _HEAVIEST):  # NaN is neither
            raise ValueError(f"sample_weight{where} must lie between 0 and {_HEAVIEST:.0f}")
        return native(found.astype(self._model.dtype))


class Digests:
    """Returns hashes of rows; arrays that several of them share are hashed once."""

    def __init__(self) -> None:
        self._begun: dict[tuple[int, int], tuple[Rows, Any]] = {}  # rows keep their arrays alive

    def __call__(self, rows: Rows) -> str:
        """Return the hash of some rows."""
        key = id(rows.X), id(rows.targets)
        if key not in self._begun:
            self._begun[key] = rows, _hashed(_sha256(), rows.X, rows.targets)
        begun = self._begun[key][1].copy()
        return _hashed(begun, rows.weights, rows.index).hexdigest()


def array_digest(*arrays: np.ndarray | None) -> str:
    """Return the hash of arrays."""
    return _hashed(_sha256(), *arrays).hexdigest()


def _hashed(found: Any, *arrays: np.ndarray | None) -> Any:
    """Add arrays to a hash: all their bytes, or 256 samples of an array above 64 MB."""
    n_samples = 256
    for array in arrays:
        if array is None:
            found.update(b"none")
            continue
        found.update(f"{array.dtype} {array.shape}".encode())
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        last = max(0, content.size - _HASHED)
        whole = content.size <= n_samples * _HASHED
        starts = range(0, content.size, _HASHED)
        for start in starts if whole else np.linspace(0, last, n_samples, dtype=np.int64):
            found.update(content[start : start + _HASHED].data)
    return found


def _sha256() -> Any:
    import hashlib  # it loads OpenSSL, which importing fastmlp should not

    return hashlib.sha256()


def _arrays(rows: Rows) -> tuple[np.ndarray | None, ...]:
    return rows.X, rows.targets, rows.weights


def _require_alike(first: np.ndarray | None, other: np.ndarray | None) -> None:
    """Raise ValueError unless two blocks have arrays of the same kind."""
    kinds = [None if a is None else (str(a.dtype), a.shape[1:]) for a in (first, other)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"all blocks of batches() must be alike, got arrays of {kinds[0]} and of {kinds[1]}"
        )
