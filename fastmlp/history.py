"""What a call of ``fit`` returns; it lives in `fastmlp.training`."""

from fastmlp.training.history import History

__all__ = ["History"]
