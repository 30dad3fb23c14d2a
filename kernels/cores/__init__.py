"""The table of cores, the first parts of operations; `core` documents them."""

from ..machine.tables import codes_of
from .affine import AFFINE
from .affine_bf16 import AFFINE_BF16
from .batch_norm import BATCH_NORM
from .copy import COPY
from .core import Core, Shape
from .embedding import EMBEDDING
from .layer_norm import LAYER_NORM
from .parametric import PARAMETRIC
from .periodic import PERIODIC
from .rms_norm import RMS_NORM
from .scale import SCALE

__all__ = ["CODES", "TABLE", "Core", "Shape"]

TABLE = (
    AFFINE,
    AFFINE_BF16,
    BATCH_NORM,
    LAYER_NORM,
    COPY,
    RMS_NORM,
    SCALE,
    PARAMETRIC,
    EMBEDDING,
    PERIODIC,
)
CODES = codes_of(TABLE)
