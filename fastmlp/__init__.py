"""fastmlp trains multi-layer perceptrons on a CPU, fast.

A first example::

    from fastmlp import Adam, Linear, ReLU, Sequential

    model = Sequential(Linear(784, 128), ReLU(), Linear(128, 10))
    model.fit(X, y, epochs=5, optimizer=Adam(lr=1e-3))
    labels = model.predict(X_test).argmax(axis=1)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.api import *

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load public names on first use, so that the command line starts without them."""
    from importlib import import_module

    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    module = f"fastmlp.{name}"
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # it exists but lacks another one
            raise
    api = import_module("fastmlp.api")
    shown = globals()
    shown.update({public: getattr(api, public) for public in api.__all__}, __all__=api.__all__)
    if name not in shown:
        raise AttributeError(_no_such(name), name=name)
    return shown[name]


def __dir__() -> list[str]:
    """List the public names even before they are loaded."""
    from fastmlp.api import __all__ as public

    return sorted({*globals(), *public})


def _no_such(name: str) -> str:
    """Return the message for a name that does not exist, suggesting the nearest one that does."""
    from pathlib import Path
    from pkgutil import iter_modules

    from fastmlp.api import __all__ as public
    from fastmlp.common.errors import nearest

    modules = [module.name for module in iter_modules([str(Path(__file__).parent)])]
    near = nearest("name", name, [*modules, *public])  # the last wins a tie
    hint = f": did you mean {near!r}?" if near else ""
    return f"module 'fastmlp' has no attribute {name!r}{hint}"
