"""Writing models as files that predict without fastmlp: ONNX, C and JavaScript.

A model and its layers say nothing of any format. `network` makes an expression of the layers'
formulas, which stand in `fastmlp.formulas`, and each writer has one table of what an operation is
called in its language.
"""

from fastmlp.export.exported import Exported
from fastmlp.export.files import SUFFIXES, write
from fastmlp.export.head import Head
from fastmlp.export.inputs import Column
from fastmlp.export.network import Member, Network, mean_of, network_of, outputs_of, weighted

__all__ = [
    "SUFFIXES",
    "Column",
    "Exported",
    "Head",
    "Member",
    "Network",
    "mean_of",
    "network_of",
    "outputs_of",
    "weighted",
    "write",
]
