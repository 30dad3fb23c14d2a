"""Layers. Each has `forward` and `backward`, and dicts of arrays, `params` and `grads`."""

from fastmlp.layers.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    SELU,
    Activation,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from fastmlp.layers.base import Layer
from fastmlp.layers.dropout import Dropout
from fastmlp.layers.flatten import Flatten
from fastmlp.layers.linear import Linear
from fastmlp.layers.normalization import BatchNorm, LayerNorm, Normalize

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "SELU",
    "Activation",
    "BatchNorm",
    "Dropout",
    "Flatten",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Mish",
    "Normalize",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Tanh",
]
