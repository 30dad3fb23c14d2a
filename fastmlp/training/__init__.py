"""Training: the loop, its options, callbacks, stopping rules and minibatches."""

from fastmlp.training.batches import epoch_order
from fastmlp.training.fitting import fit
from fastmlp.training.options import PRECISIONS, FitOptions
from fastmlp.training.rows import training_rows

__all__ = ["PRECISIONS", "FitOptions", "epoch_order", "fit", "training_rows"]
