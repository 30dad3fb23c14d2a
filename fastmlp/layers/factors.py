"""Factors of a parameter array: its own learning rate, epsilon and weight decay.

``layer.factors = {"weight": {"rate": 0.1}}`` trains that array at a tenth of the optimizer's rate.
"""

from collections.abc import Mapping
from typing import Any, cast

from fastmlp.common.errors import unknown
from fastmlp.common.validation import non_negative, positive

__all__ = ["Factors", "checked"]

Factors = dict[str, dict[str, float]]

_CHECKS = {"rate": non_negative, "eps": positive, "decay": non_negative}


def checked(values: Any, names: Any) -> Factors:
    """Return a copy of the factors of a layer that has parameters of these names.

    Raises
    ------
    TypeError, ValueError
        If the layer has no parameter of a name, or a factor is unknown or not a number >= 0.

    """
    factors: Factors = {}
    for name, row in _items(values, "factors"):
        if name not in names:
            raise unknown("parameter", name, names)
        factors[name] = {}
        for kind, value in _items(row, f"factors[{name!r}]"):
            if kind not in _CHECKS:
                raise unknown("factor", kind, _CHECKS)
            factors[name][kind] = _CHECKS[kind](f"factors[{name!r}][{kind!r}]", value)
    return factors


def _items(values: Any, name: str) -> list[tuple[Any, Any]]:
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{name} must be a dict, as in {{'weight': {{'rate': 0.1}}}}, got {values!r}"
        )
    return list(cast("Mapping[Any, Any]", values).items())
