"""Layers: each keeps `params` and `grads` as dicts of views and has `forward` and `backward`."""

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
