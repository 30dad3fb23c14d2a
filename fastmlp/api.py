"""What ``import fastmlp`` shows."""

from fastmlp import callbacks, gradcheck, initializers, layers, losses, optimizers, schedules
from fastmlp.autoencoder import TiedAutoencoder
from fastmlp.callbacks import Callback
from fastmlp.history import History
from fastmlp.layers import (
    ELU,
    GELU,
    SELU,
    BatchNorm,
    Dropout,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    Mish,
    Normalize,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from fastmlp.saving import load
from fastmlp.sequential import Sequential
from fastmlp.stopping import EarlyStopping

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "BatchNorm",
    "Callback",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "History",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Mish",
    "Normalize",
    "RMSprop",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "TiedAutoencoder",
    "callbacks",
    "gradcheck",
    "initializers",
    "layers",
    "load",
    "losses",
    "optimizers",
    "schedules",
]
