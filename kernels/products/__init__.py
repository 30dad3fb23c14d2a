"""The matrix products of a fully connected layer.

``affine`` in float32 and float64, over ``panels``; ``affine_bf16`` in bfloat16, over ``packing``
and ``tiles``.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
