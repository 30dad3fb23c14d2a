"""The kernels that a plan calls by address; only these are compiled."""

from collections.abc import Sequence
from typing import Any

import fastmlp.kernels as kernels
from fastmlp.engine.plan import Operation, Training, core_name, core_row
from fastmlp.kernels.plan import op

__all__ = ["calls_for_inference", "calls_for_sharing", "calls_for_training"]


def calls_for_inference(operations: Sequence[Operation]) -> set[Any]:
    """Return the links and (family, code) pairs that inference needs."""
    calls = kernels.plan.calls
    needed: set[Any] = {calls.GATHER, calls.INFER_ROWS}
    for o in operations:
        needed.add((calls.INFER, kernels.cores.CODES[o.core]))
        needed.update(core_row(o.core).inference_calls)
        if o.activation is not None:
            needed.add((calls.ACTIVATE, kernels.activations.CODES[o.activation]))
        if o.inner_activation is not None:
            needed.add((calls.MIX, kernels.activations.CODES[o.inner_activation]))
    return needed


def calls_for_sharing() -> set[Any]:
    """Return the links that inference needs beyond that if several threads share it."""
    calls = kernels.plan.calls
    return {calls.INFER_TOGETHER, calls.TAKE_PART, calls.MAKE_OFFER, calls.WITHDRAW}


def calls_for_training(operations: Sequence[Operation], training: Training) -> set[Any]:
    """Return the links and (family, code) pairs that a training step needs."""
    calls = kernels.plan.calls
    needed: set[Any] = {
        calls.GATHER,
        calls.TRAIN_STEPS,
        (calls.LOSE, kernels.losses.CODES[training.loss]),
        (calls.UPDATE, kernels.optimizers.CODES[training.optimizer]),
    }
    for o in operations:
        name = core_name(o, training.parts)
        code, row = kernels.cores.CODES[name], core_row(name)
        families = (calls.FORWARD, calls.BACKWARD, *calls.OPTIONAL)
        needed |= {(family, code) for family in families if getattr(row, family.name) is not None}
        needed.update(row.training_calls)
        if o.activation is not None:
            code = kernels.activations.CODES[o.activation]
            if o.keep == op.KEEP_SLOPE:
                needed |= {(calls.RISE, code), calls.MULTIPLY_BY}
            else:
                needed |= {(calls.ACTIVATE, code), (calls.DIFFERENTIATE, code)}
        if o.inner_activation is not None:
            code = kernels.activations.CODES[o.inner_activation]
            needed.add((calls.MIX_AND_KEEP, code))
        if o.drops and not row.drops_itself:
            needed.add(calls.DROP)
    return needed
