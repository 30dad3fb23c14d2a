"""Hot kernels of fastmlp: numba functions over arrays; they check nothing and allocate nothing.

Read in this order: ``isa`` (what the processor offers), ``jit`` (the one compilation policy),
``simd`` and ``maths`` (the building blocks), ``affine`` (the three matrix products of a layer),
the elementwise subjects (``activations``, ``dropout``, ``losses``, ``optimizers``,
``normalization``, ``gather``), and last ``engine``, which runs whole epochs of them.
"""
