"""Running plans.

``epoch`` trains whole epochs; each step has two parts, ``step`` and ``update``. ``inference`` runs
the forward half. ``run`` does both, for many epochs in one call.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
