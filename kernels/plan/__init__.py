"""What a training step consists of.

``op`` names its numbers; ``memory`` says where its arrays are; ``calls`` is what is called by
address.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
