"""The table of losses."""

from ..machine.tables import codes_of
from .classes import CROSS_ENTROPY, HINGE
from .log_cosh import LOG_COSH
from .members import MEMBER_CROSS_ENTROPY
from .numbers import BINARY_CROSS_ENTROPY, HUBER, MAE, MSE, POISSON, QUANTILE
from .rows import Loss

__all__ = ["CODES", "TABLE", "Loss"]

TABLE = (
    CROSS_ENTROPY,
    HINGE,
    MSE,
    BINARY_CROSS_ENTROPY,
    MAE,
    HUBER,
    QUANTILE,
    POISSON,
    LOG_COSH,
    MEMBER_CROSS_ENTROPY,
)
CODES = codes_of(TABLE)
