"""Training: one loop, and what it is given: options, callbacks, a stopping rule, minibatches."""

from fastmlp.training.batches import epoch_order
from fastmlp.training.fitting import fit
from fastmlp.training.options import PRECISIONS, FitOptions

__all__ = ["PRECISIONS", "FitOptions", "epoch_order", "fit"]
