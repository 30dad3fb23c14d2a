"""What the command line calls the library's arguments, for messages that name one."""

from fastmlp.cli.options import OPTIONS

__all__ = ["FLAGS"]

FLAGS = {option.library_name: option.flag for option in OPTIONS}
"""Argument -> option."""
