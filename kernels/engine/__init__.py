"""Running plans.

``epoch`` trains whole epochs; each step has two parts, ``step`` and ``update``. ``inference`` runs
the forward half.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
