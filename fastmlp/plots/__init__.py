"""Plots of training: each function returns a `matplotlib.figure.Figure`; `save` writes it.

matplotlib (extra ``plot``) is imported on first use. pyplot is not used, so no display is needed.
"""

from fastmlp.plots.activations import activation_functions
from fastmlp.plots.confusion import confusion_matrix
from fastmlp.plots.curves import learning_curves
from fastmlp.plots.figure import is_available, require_format, save
from fastmlp.plots.heat import heat_map
from fastmlp.plots.regression import regression_predictions
from fastmlp.plots.summary import training_summary
from fastmlp.plots.weights import first_layer_weights

__all__ = [
    "activation_functions",
    "confusion_matrix",
    "first_layer_weights",
    "heat_map",
    "is_available",
    "learning_curves",
    "regression_predictions",
    "require_format",
    "save",
    "training_summary",
]
