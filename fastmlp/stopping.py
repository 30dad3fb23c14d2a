"""When to stop early; it lives in `fastmlp.training`."""

from fastmlp.training.stopping import EarlyStopping

__all__ = ["EarlyStopping"]
