"""Hot kernels of fastmlp: numba functions over arrays; they check nothing and allocate nothing."""
