"""The table of optimizers."""

from ..machine.tables import codes_of
from . import norms
from .adagrad import ADAGRAD
from .adam import ADAM, ADAMW
from .lion import LION
from .rmsprop import RMSPROP, RMSPROP_IN_ROOT
from .rule import Rule
from .sgd import MOMENTUM, NESTEROV, SGD

__all__ = ["CODES", "TABLE", "Rule", "norms"]

TABLE = (SGD, MOMENTUM, NESTEROV, RMSPROP, RMSPROP_IN_ROOT, ADAM, ADAMW, ADAGRAD, LION)
CODES = codes_of(TABLE)
