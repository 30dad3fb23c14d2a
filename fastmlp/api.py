"""The public names of ``import fastmlp``."""

from fastmlp import callbacks, gradcheck, initializers, layers, losses, optimizers, schedules
from fastmlp.autoencoder import TiedAutoencoder
from fastmlp.ensemble import Ensemble
from fastmlp.layers import (
    Dropout,
    Flatten,
    Linear,
    activations,
    columns,
    embeddings,
    members,
    normalization,
)
from fastmlp.layers.activations import *
from fastmlp.layers.columns import *
from fastmlp.layers.embeddings import *
from fastmlp.layers.members import *
from fastmlp.layers.normalization import *
from fastmlp.model import Sequential
from fastmlp.optimizers import SGD, adaptive
from fastmlp.optimizers.adaptive import *
from fastmlp.saving import load
from fastmlp.sweep.halving import search
from fastmlp.training.callbacks import Callback
from fastmlp.training.checkpoint import Checkpoint
from fastmlp.training.history import History
from fastmlp.training.pack import fit_many
from fastmlp.training.stopping import EarlyStopping

__all__ = [
    "SGD",
    "Callback",
    "Checkpoint",
    "Dropout",
    "EarlyStopping",
    "Ensemble",
    "Flatten",
    "History",
    "Linear",
    "Sequential",
    "TiedAutoencoder",
    "callbacks",
    "fit_many",
    "gradcheck",
    "initializers",
    "layers",
    "load",
    "losses",
    "optimizers",
    "schedules",
    "search",
]
__all__ += activations.__all__
__all__ += columns.__all__
__all__ += embeddings.__all__
__all__ += members.__all__
__all__ += normalization.__all__
__all__ += adaptive.__all__
