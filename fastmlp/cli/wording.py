"""The command line names of the library's arguments, for error messages."""

from fastmlp.cli.options import OPTIONS

__all__ = ["FLAGS"]

FLAGS = {option.library_name: option.flag for option in OPTIONS} | {"int8": "--int8"}
"""Argument -> option."""
