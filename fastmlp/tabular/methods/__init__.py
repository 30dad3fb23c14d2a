"""The methods for tables: from encoded rows to a network, and how to train it.

*Encoded rows* are what an encoder makes of a raw table: ``numbers`` (N, n_numbers), NaN where one
is missing; ``codes`` (N, n_categories), 0 for a missing or unknown category and 1 to k for the k
known ones; and ``sizes``, the k of each column of codes. `fastmlp.tabular.Encoded` has these.
Targets are class numbers 0 to C - 1, int (N,), or float (N,)::

    recipe = methods.prepare("realmlp-td-s", rows, y, n_classes=3, seed=0)
    recipe.train(rows, y, rows_val, y_val, epochs=20)    # best epoch by the validation rows
    probabilities = recipe.predict(new_rows)             # (N, C), or numbers (N,)

`prepare` reads the training rows only for what the method needs to know of them: medians, scales,
the first values of some weights. A recipe has parts, all of which can be saved:

- ``recipe.inputs``: what the method does to encoded rows, ``inputs(rows)`` -> float32 matrix for
  the network. ``inputs.arrays()`` has its values by name; ``restored`` of its class takes them
  back. `INPUTS` has the classes by name.
- ``recipe.targets``: ``targets.encode(y)`` -> targets of the network, ``targets.decode(outputs)``
  -> probabilities or numbers. It is a small dataclass of plain numbers.
- ``recipe.model``: a `Sequential`.
- ``recipe.options``: the arguments of ``model.fit`` other than data.

With ``n_classes=0`` the target is a number.

The networks of "mixed" and "pack" differ by their ``number``: the former are those of a pack that
have number 0 and 1, by turns.
"""

from collections.abc import Callable

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.tabular.methods.inputs import EncodedRows, Inputs
from fastmlp.tabular.methods.pack import N_KINDS, described, pack_network
from fastmlp.tabular.methods.quantiles import QuantileInputs
from fastmlp.tabular.methods.realmlp_td import realmlp_td
from fastmlp.tabular.methods.realmlp_td_s import realmlp_td_s
from fastmlp.tabular.methods.recipe import Recipe
from fastmlp.tabular.methods.tabm_mini import tabm_mini
from fastmlp.tabular.methods.targets import Targets

__all__ = [
    "DEFAULT_METHOD",
    "DIFFERING",
    "INPUTS",
    "METHODS",
    "N_KINDS",
    "EncodedRows",
    "Inputs",
    "Recipe",
    "Targets",
    "described",
    "prepare",
    "settings_of",
]

INPUTS: dict[str, type[Inputs] | type[QuantileInputs]] = {
    kind.__name__: kind for kind in (Inputs, QuantileInputs)
}
"""The kinds of inputs by name, for files."""

_METHODS: dict[str, Callable[[EncodedRows, np.ndarray, int, int], Recipe]] = {
    "realmlp-td-s": realmlp_td_s,
    "realmlp-td": realmlp_td,
    "tabm-mini": tabm_mini,
}

DIFFERING = ("mixed", "pack")
"""The names of the methods whose networks have different settings."""

METHODS = (*_METHODS, *DIFFERING)
"""The names of the methods."""

DEFAULT_METHOD = "mixed"
"""The one of them that is used unless the user chooses."""


def prepare(
    method: str,
    rows: EncodedRows,
    y: np.ndarray,
    *,
    n_classes: int = 0,
    seed: int = 0,
    number: int = 0,
) -> Recipe:
    """Return a new network with its training options, for encoded training rows.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    rows : EncodedRows
    y : numpy.ndarray, shape (N,)
        Class numbers, or numbers.
    n_classes : int, default 0
        C; 0 if the target is a number.
    seed : int, default 0
        Seed of the first weights, the row order and dropout.
    number : int, default 0
        Which network of "mixed" or a pack; of other methods, all have the same settings.

    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if method in _METHODS:
        return _METHODS[method](rows, y, n_classes, seed)
    return pack_network(rows, y, n_classes, seed, settings_of(method, number))


def settings_of(method: str, number: int) -> int:
    """Return which of its method's settings a network has, by its number."""
    if method == "mixed":
        return number % N_KINDS
    return number if method == "pack" else 0
