"""Writing models as files that predict without fastmlp: ONNX, C and JavaScript.

A model and its layers say nothing of any format. `blocks` makes expressions of the layers'
formulas, which stand in `fastmlp.formulas`, and each writer has one table of what an operation is
called in its language.
"""

from fastmlp.export.files import SUFFIXES, write
from fastmlp.export.head import Head

__all__ = ["SUFFIXES", "Head", "write"]
