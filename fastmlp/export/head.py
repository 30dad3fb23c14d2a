"""What an estimator does with the outputs of its network."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Head"]


@dataclass(frozen=True)
class Head:
    """An estimator's part in a prediction.

    Attributes
    ----------
    link : str
        What turns outputs into predictions, a key of `fastmlp.formulas.links.LINKS`.
    kind : {"values", "binary", "multiclass", "multilabel"}
        Numbers; the probability of the second class; of each class; of each label.
    classes : numpy.ndarray, shape (C,), optional
        The classes of a classifier.

    """

    link: str
    kind: Literal["values", "binary", "multiclass", "multilabel"] = "values"
    classes: np.ndarray | None = None
