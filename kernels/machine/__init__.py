"""Compiling and calling kernels.

``isa``: the instruction set; ``jit``: the compilation policy; ``cache``: compiled kernels on disk;
``compiling``: the progress of compilation; ``simd`` and ``maths``: building blocks; ``atomics``:
synchronisation of threads; ``denormals``: flushing them to 0; ``links``: calls by address;
``tables``: codes for the rows of a table.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
