"""The table of activation functions."""

from ..machine.tables import codes_of
from .elementwise import Activation
from .elu import ELU, SELU
from .gelu import GELU
from .mish import MISH
from .relu import LEAKY_RELU, RELU
from .sigmoid import SIGMOID, SILU, TANH
from .softplus import SOFTPLUS

__all__ = ["CODES", "TABLE", "Activation"]

TABLE = (RELU, LEAKY_RELU, ELU, SELU, SIGMOID, TANH, GELU, SILU, MISH, SOFTPLUS)
CODES = codes_of(TABLE)
