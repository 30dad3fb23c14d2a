"""The model; it lives in `fastmlp.model`."""

from fastmlp.model import Sequential

__all__ = ["Sequential"]
