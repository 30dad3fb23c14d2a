"""What ``import fastmlp`` shows."""

from fastmlp import callbacks, gradcheck, initializers, layers, losses, optimizers, schedules
from fastmlp.autoencoder import TiedAutoencoder
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
from fastmlp.model import Sequential
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from fastmlp.saving import load
from fastmlp.training.callbacks import Callback
from fastmlp.training.history import History
from fastmlp.training.stopping import EarlyStopping

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
