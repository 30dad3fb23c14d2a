"""fastmlp trains multi-layer perceptrons on a CPU, fast.

A first example::

    from fastmlp import Adam, Linear, ReLU, Sequential

    model = Sequential(Linear(784, 128), ReLU(), Linear(128, 10))
    model.fit(X, y, epochs=5, optimizer=Adam(lr=1e-3))
    labels = model.predict(X_test).argmax(axis=1)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.api import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load what is public when it is first asked for: the command line starts without it."""
    from importlib import import_module
    from importlib.util import find_spec

    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    if find_spec(f"fastmlp.{name}") is not None:
        return import_module(f"fastmlp.{name}")
    api = import_module("fastmlp.api")
    shown = globals()
    shown.update({public: getattr(api, public) for public in api.__all__}, __all__=api.__all__)
    if name not in shown:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    return shown[name]


def __dir__() -> list[str]:
    """List what is public too when it is not loaded yet."""
    from fastmlp.api import __all__ as public

    return sorted({*globals(), *public})
