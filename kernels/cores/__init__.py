"""The table of cores, the first parts of operations; `core` documents them."""

from ..machine.tables import codes_of
from .affine import AFFINE
from .affine_bf16 import AFFINE_BF16
from .batch_norm import BATCH_NORM
from .copy import COPY
from .core import Core, Shape
from .embedding import EMBEDDING
from .heads import HEADS
from .layer_norm import LAYER_NORM
from .members import MEMBERS
from .parametric import PARAMETRIC
from .periodic import PERIODIC
from .piecewise import PIECEWISE
from .rms_norm import RMS_NORM
from .scale import SCALE
from .shared_affine import SHARED_AFFINE
from .shared_affine_bf16 import SHARED_AFFINE_BF16

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
    MEMBERS,
    SHARED_AFFINE,
    HEADS,
    PIECEWISE,
    SHARED_AFFINE_BF16,
)
CODES = codes_of(TABLE)
