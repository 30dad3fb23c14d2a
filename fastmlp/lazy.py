"""The modules that need numba, loaded when something in them is first used.

So importing fastmlp costs a few hundredths of a second, and `fastmlp info` or a read of a dataset
never pays for the compiler.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["compiled", "ops"]


class _Lazy:
    """Stands for a module until an attribute of it is asked for."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        """Load the module, and keep the attribute so that it is found at once next time."""
        value = getattr(import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value


if TYPE_CHECKING:
    from fastmlp import compiled, ops
else:
    compiled, ops = _Lazy("fastmlp.compiled"), _Lazy("fastmlp.ops")
