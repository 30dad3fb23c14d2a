"""Hot kernels of fastmlp: numba functions over arrays; they check nothing and allocate nothing.

The rooms, from the ground up; each knows only those before it:

``machine``      how a kernel is made and called: instruction sets, compilation, vectors, calls by
                 address
``plan``         what a training step consists of: names of its numbers, where its arrays are, what
                 is called by address
``products``     the matrix products, in float32 and float64, and of bfloat16 tiles
``activations``, ``losses``, ``optimizers``
                 a table each, and a file for each few members; ``dropout`` and ``gather`` besides
``cores``        what an operation begins with: a product, a normalisation, or nothing; a table
``engine``       whole epochs of training, and inference

A room, or a file in one, is imported when it is first asked for, as an attribute: importing fastmlp
must not cost the time that importing numba takes.
"""

from .lazily import modules_of

__getattr__ = modules_of(__name__)
