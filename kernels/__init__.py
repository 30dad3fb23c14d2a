"""The hot kernels of fastmlp: numba functions over arrays, without checks or allocation.

The subpackages from the bottom up; each imports only those above it in this list:

``machine``      compiling and calling kernels: instruction sets, compilation, vectors, calls by
                 address
``plan``         the encoding of a training step: its fields, its arrays, its calls by address
``products``     matrix products in float32, float64 and bfloat16 tiles
``activations``, ``losses``, ``optimizers``
                 one table each; ``dropout`` and ``gather`` are single modules
``cores``        the first part of an operation: a product, a normalisation, or nothing; a table
``engine``       whole epochs of training, and inference

Subpackages and their modules are imported on first use, as attributes, so that importing fastmlp
does not take the time of importing numba.
"""

from .lazily import modules_of

__getattr__ = modules_of(__name__)
