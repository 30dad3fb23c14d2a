"""Layers. Each has `forward` and `backward`, and dicts of arrays, `params` and `grads`."""

from fastmlp.layers import activations, columns, embeddings, members, normalization
from fastmlp.layers.activations import *
from fastmlp.layers.activations import ACTIVATIONS, Activation
from fastmlp.layers.base import Layer
from fastmlp.layers.columns import *
from fastmlp.layers.dropout import Dropout
from fastmlp.layers.embeddings import *
from fastmlp.layers.flatten import Flatten
from fastmlp.layers.linear import Linear
from fastmlp.layers.members import *
from fastmlp.layers.normalization import *
from fastmlp.layers.normalization import NORMALIZATIONS

__all__ = [
    "ACTIVATIONS",
    "NORMALIZATIONS",
    "Activation",
    "Dropout",
    "Flatten",
    "Layer",
    "Linear",
]
__all__ += activations.__all__
__all__ += columns.__all__
__all__ += embeddings.__all__
__all__ += members.__all__
__all__ += normalization.__all__
