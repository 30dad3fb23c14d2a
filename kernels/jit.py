"""Where compiled kernels are kept: the one address in here that other programs ask for."""

from .machine.jit import cache_folder

__all__ = ["cache_folder"]
