"""The encoding of a training step.

``op`` names its fields; ``memory`` locates its arrays; ``calls`` lists the kernels called by
address.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
