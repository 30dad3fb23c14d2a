"""Tables: from data frames with categories, dates and missing values to predictions.

`TabularClassifier` and `TabularRegressor` have scikit-learn's interface and need the extras
``tables`` and ``sklearn``. They stand on `TableEncoder`, which needs ``tables`` alone::

    from fastmlp.tabular import TabularClassifier

    classifier = TabularClassifier(random_state=0).fit(frame, classes)
    print(classifier.summary())
    classifier.predict(new_frame)
"""

from typing import TYPE_CHECKING, Any

from fastmlp.tabular.encoder import Encoded, TableEncoder
from fastmlp.tabular.methods import METHODS

if TYPE_CHECKING:
    from fastmlp.tabular._classifier import TabularClassifier
    from fastmlp.tabular._regressor import TabularRegressor

__all__ = ["METHODS", "Encoded", "TableEncoder", "TabularClassifier", "TabularRegressor"]


def __getattr__(name: str) -> Any:
    """Import the estimators on first use: the others do not need scikit-learn."""
    if name not in ("TabularClassifier", "TabularRegressor"):
        raise AttributeError(f"module 'fastmlp.tabular' has no attribute {name!r}")
    try:
        if name == "TabularClassifier":
            from fastmlp.tabular import _classifier as module
        else:
            from fastmlp.tabular import _regressor as module
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        raise ModuleNotFoundError(
            f"{name} needs scikit-learn: install it with pip install 'fastmlp[sklearn]'",
            name="sklearn",
        ) from None
    globals()[name] = getattr(module, name)
    return globals()[name]
