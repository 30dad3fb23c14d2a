"""What is called by address: every link and family, with its signature.

``calls.NAME`` is the link or family, ``calls.name(memory, ...)`` how a kernel calls it; of a family
the code comes next. See ``machine.links``.
"""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from ..machine import links
from ..machine.links import (
    BLOCK,
    BOOL,
    BYTES,
    DOUBLE,
    DOUBLES,
    INT,
    INTS,
    KEY,
    MATRIX,
    MEMORY,
    REAL,
    REALS,
    Family,
    Link,
)  # fmt: skip

__all__ = ["ALL", "OPTIONAL", "addresses", "everything"]

# One member for each activation, loss and optimizer.
ACTIVATE = Family("activations", "forward", (REAL, MATRIX, BLOCK))
DIFFERENTIATE = Family("activations", "backward", (REAL, MATRIX, MATRIX, BLOCK))
LOSE = Family(
    "losses",
    "rows",
    (REAL, MATRIX, INTS, MATRIX, REALS, REAL, MATRIX, DOUBLES, INTS, INT, INT, INT),
)
UPDATE = Family("optimizers", "update", (REALS, REALS, REALS, REALS, INT, INT, INT, DOUBLES, BOOL))

# One member for each core; `cores.core` says what they do.
_PASS = (MEMORY, REAL, INT, INT, INT, INT, MATRIX)  # memory, zero, thread, o, step, n_rows, x
FORWARD = Family("cores", "forward", _PASS)
INFER = Family("cores", "infer", _PASS)
BACKWARD = Family("cores", "backward", _PASS[:-1])
GRADIENT = Family("cores", "gradient", (MEMORY, REAL, INT, INT, INT, REALS, INT))
TAKE_INPUT = Family("cores", "take_input", (MEMORY, REAL, INT, BLOCK))
TAKE_GRADIENT = Family("cores", "take_gradient", (MEMORY, REAL, INT, BLOCK))
FOLLOW_UPDATE = Family("cores", "follow_update", (MEMORY, REAL, INT))
LIMIT_NORMS = Family("cores", "limit_norms", (MEMORY, REAL, INT, INT, DOUBLE))

OPTIONAL = (GRADIENT, TAKE_INPUT, TAKE_GRADIENT, FOLLOW_UPDATE, LIMIT_NORMS)

# Single kernels.
AFFINE = Link(
    "products.affine", "affine_forward", (MATRIX, MATRIX, REALS, BOOL, MATRIX, INT, REALS, BLOCK)
)
AFFINE_BACKWARD = Link(
    "products.affine", "affine_backward", (MATRIX, MATRIX, MATRIX, INT, REALS, BLOCK)
)
WEIGHT_GRADIENT = Link(
    "products.affine",
    "weight_gradient",
    (MATRIX, MATRIX, INT, INT, REALS, INT, REALS, INT, INT, REALS, REALS, REALS, INT),
)
BIAS_GRADIENT = Link("products.affine", "bias_gradient", (MATRIX, INT, INT, REALS, INT, REALS))
_VECTORS = (REALS, REALS, REALS, REALS)
_NORM_BACKWARD = (MATRIX, MATRIX, REALS, REALS, REALS, REALS, REALS, MATRIX, INT, INT)
BATCH_NORM_TRAIN = Link(
    "cores.batch_norm",
    "batch_norm_train",
    (MATRIX, *_VECTORS, REALS, REALS, MATRIX, REAL, REAL, INT, INT, INT),
)
BATCH_NORM_ROW = Link(
    "cores.batch_norm",
    "batch_norm_row",
    (MATRIX, *_VECTORS, REALS, REALS, MATRIX, REAL, REAL, INT, INT),
)
BATCH_NORM_INFERENCE = Link(
    "cores.batch_norm", "batch_norm_inference", (MATRIX, *_VECTORS, MATRIX, REAL, INT, INT, INT)
)
BATCH_NORM_BACKWARD = Link("cores.batch_norm", "batch_norm_backward", (*_NORM_BACKWARD, INT))
BATCH_NORM_ROW_BACKWARD = Link("cores.batch_norm", "batch_norm_row_backward", _NORM_BACKWARD)
LAYER_NORM_FORWARD = Link(
    "cores.layer_norm", "layer_norm_forward", (MATRIX, *_VECTORS, MATRIX, REAL, INT, INT, INT)
)
LAYER_NORM_BACKWARD = Link(
    "cores.layer_norm",
    "layer_norm_backward",
    (MATRIX, MATRIX, REALS, REALS, REALS, MATRIX, INT, INT, INT),
)
LAYER_NORM_PARAMETERS = Link(
    "cores.layer_norm", "layer_norm_parameters", (MATRIX, MATRIX, *_VECTORS, INT, INT, INT)
)
DROP = Link("dropout", "drop", (MATRIX, REAL, KEY, BLOCK))
GATHER = Link(
    "gather",
    "gather_rows",
    (BYTES, INT, INTS, INT, REALS, REALS, DOUBLES, DOUBLES, INT, MATRIX, INT, INT, INT),
)
TRAIN_STEPS = Link("engine.epoch", "train_steps", (INT, MEMORY, REAL, DOUBLE, DOUBLE))
INFER_ROWS = Link("engine.inference", "infer_rows", (MEMORY, REAL, INT, INT))


# How kernels call them.
activate = ACTIVATE.call
differentiate = DIFFERENTIATE.call
lose = LOSE.call
update = UPDATE.call
forward = FORWARD.call
infer = INFER.call
backward = BACKWARD.call
gradient = GRADIENT.call
take_input = TAKE_INPUT.call
take_gradient = TAKE_GRADIENT.call
follow_update = FOLLOW_UPDATE.call
limit_norms = LIMIT_NORMS.call
affine_forward = AFFINE.call
affine_backward = AFFINE_BACKWARD.call
weight_gradient = WEIGHT_GRADIENT.call
bias_gradient = BIAS_GRADIENT.call
batch_norm_train = BATCH_NORM_TRAIN.call
batch_norm_row = BATCH_NORM_ROW.call
batch_norm_inference = BATCH_NORM_INFERENCE.call
batch_norm_backward = BATCH_NORM_BACKWARD.call
batch_norm_row_backward = BATCH_NORM_ROW_BACKWARD.call
layer_norm_forward = LAYER_NORM_FORWARD.call
layer_norm_backward = LAYER_NORM_BACKWARD.call
layer_norm_parameters = LAYER_NORM_PARAMETERS.call
drop = DROP.call
gather_rows = GATHER.call
try_train_steps, try_infer_rows = TRAIN_STEPS.attempt, INFER_ROWS.attempt

ALL: dict[str, Link] = {name: link for name, link in globals().items() if isinstance(link, Link)}
links.number(ALL.values())


def addresses(needed: Iterable[Any], dtype: np.dtype) -> np.ndarray:
    """Return the table of addresses, int64, of the needed links and (family, code) pairs."""
    return links.table_of(list(ALL.values()), needed, dtype)


def everything(left_out: Collection[str] = ()) -> list[Any]:
    """Return every link and every member of every family, but those of the rows named."""
    needed: list[Any] = []
    for link in ALL.values():
        if not isinstance(link, Family):
            needed.append(link)
            continue
        for code, row in enumerate(link.rows()):
            if row.name not in left_out and getattr(row, link.name) is not None:
                needed.append((link, code))
    return needed
