"""The folder of compiled kernels, at a stable import path for other programs."""

from .machine.jit import cache_folder

__all__ = ["cache_folder"]
