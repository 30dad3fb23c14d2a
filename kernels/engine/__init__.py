"""Plans at work.

``epoch`` trains whole epochs, each step in two parts: ``step`` and ``update``. ``inference`` is the
forward half.
"""

from ..lazily import modules_of

__getattr__ = modules_of(__name__)
