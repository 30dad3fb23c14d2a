"""The kernels that are called by address: every link and family, with its signature.

``calls.NAME`` is the link or family, ``calls.name(memory, ...)`` how a kernel calls it; of a family
the code comes next. See ``machine.links``. What only one core calls stands in that core's file.
"""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

import numpy as np

from ..machine import crew, links
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

__all__ = ["ALL", "OPTIONAL", "addresses", "everything", "link", "task"]

# One member for each activation, loss and optimizer.
ACTIVATE = Family("activations", "forward", (REAL, MATRIX, BLOCK))
DIFFERENTIATE = Family("activations", "backward", (REAL, REAL, MATRIX, MATRIX, BLOCK))
RISE = Family("activations", "rise", (REAL, MATRIX, MATRIX, BLOCK))
MIX = Family("activations", "mix", (REAL, MATRIX, REALS, MATRIX, BLOCK))
MIX_AND_KEEP = Family(
    "activations",
    "mix_and_keep",
    (REAL, MATRIX, REALS, MATRIX, MATRIX, MATRIX, REAL, KEY, BLOCK),
)
LOSE = Family(
    "losses",
    "rows",
    (REAL, MATRIX, INTS, MATRIX, REALS, REAL, MATRIX, DOUBLES, INTS, INT, INT, INT),
)
UPDATE = Family("optimizers", "update", (REALS, REALS, REALS, REALS, INT, INT, INT, DOUBLES, BOOL))

# One member for each core; `cores.core` documents them.
_PASS = (MEMORY, REAL, INT, INT, INT, INT, MATRIX)  # memory, zero, thread, o, step, n_rows, x
FORWARD = Family("cores", "forward", _PASS)
INFER = Family("cores", "infer", _PASS)
BACKWARD = Family("cores", "backward", _PASS[:-1])
GRADIENT = Family("cores", "gradient", (MEMORY, REAL, INT, INT, INT, REALS, INT))
TAKE_INPUT = Family("cores", "take_input", (MEMORY, REAL, INT, BLOCK))
TAKE_GRADIENT = Family("cores", "take_gradient", (MEMORY, REAL, INT, BLOCK))
FOLLOW_UPDATE = Family("cores", "follow_update", (MEMORY, REAL, INT, INT))
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
    (MATRIX, MATRIX, INT, INT, REALS, INT, REALS, INT, INT, INT, BOOL, REALS, REALS, REALS, INT),
)
BIAS_GRADIENT = Link("products.sums", "bias_gradient", (MATRIX, INT, INT, REALS, INT))
MULTIPLY_BY = Link("activations.elementwise", "multiply_by", (MATRIX, MATRIX, BLOCK))
DROP = Link("dropout", "drop", (MATRIX, REAL, KEY, BLOCK))
GATHER = Link(
    "gather",
    "gather_rows",
    (BYTES, INT, INTS, INT, REALS, REALS, DOUBLES, DOUBLES, INT, MATRIX, INT, INT, INT),
)
TRAIN_STEPS = Link("engine.epoch", "train_steps", (INT, MEMORY, REAL, DOUBLE, DOUBLE))
INFER_ROWS = Link("engine.inference", "infer_rows", (MEMORY, REAL, INT, INT))

# Kernels that Python calls; in a plan's table so that they are compiled with the others.
TRAIN_EPOCH = Link("engine.epoch", "train_epoch", (INT, MEMORY, REAL, DOUBLE, DOUBLE))
TRAIN_RUN = Link("engine.run", "train_run", (INT, MEMORY, REAL, DOUBLE, DOUBLE))
INFER_TOGETHER = Link("engine.inference", "infer_together", (MEMORY, REAL, INTS, MEMORY))
TAKE_PART = Link("engine.inference", "take_part", (MEMORY, REAL, INT))
MAKE_OFFER = Link("engine.inference", "make_offer", (MEMORY,))
WITHDRAW = Link("engine.inference", "withdraw", (MEMORY,))

# How kernels call them.
activate = ACTIVATE.call
differentiate = DIFFERENTIATE.call
rise = RISE.call
mix, mix_and_keep = MIX.call, MIX_AND_KEEP.call
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
multiply_by = MULTIPLY_BY.call
drop = DROP.call
gather_rows = GATHER.call
infer_rows = INFER_ROWS.call
try_train_steps, try_infer_rows = TRAIN_STEPS.attempt, INFER_ROWS.attempt

ALL: list[Link] = [link for link in globals().values() if isinstance(link, Link)]
links.number(ALL)


def link(module: str, name: str, *arguments: Any) -> Link:
    """Add a kernel that only one core calls, and return its link; that core's file does so."""
    ALL.append(Link(module, name, arguments, place=len(ALL)))
    return ALL[-1]


def addresses(needed: Iterable[Any], dtype: np.dtype) -> np.ndarray:
    """Return the int64 table of addresses of the needed links and (family, code) pairs.

    Plans that need the same kernels share one table, so nobody may write to it.
    """
    return _table(frozenset(needed), np.dtype(dtype).name)


@cache
def _table(needed: frozenset[Any], dtype: str) -> np.ndarray:
    return links.table_of(_all(), needed, np.dtype(dtype))


def task(place: int, code: int, dtype: str) -> crew.Task:
    """Return the kernel to compile at a place of ``ALL``."""
    return links.task_of(_all()[place], code, np.dtype(dtype))


def everything(left_out: Collection[str] = ()) -> list[Any]:
    """Return every link and every member of every family, except those of the rows left out."""
    needed: list[Any] = []
    for each in _all():
        if not isinstance(each, Family):
            needed.append(each)
            continue
        for code, row in enumerate(each.rows()):
            if row.name not in left_out and getattr(row, each.name) is not None:
                needed.append((each, code))
    return needed


def _all() -> list[Link]:
    """Return every link and family, in the order of their places; cores add theirs first."""
    FORWARD.rows()
    return ALL
