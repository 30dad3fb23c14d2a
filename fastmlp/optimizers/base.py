"""The base class of optimizers: learning rate, limits, state, and one step."""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.attributes import Checked
from fastmlp.common.exclusive import Exclusive
from fastmlp.common.trainable import Trainable
from fastmlp.common.validation import non_negative, positive
from fastmlp.engine.parameters import Arrays
from fastmlp.schedules import Schedule, as_schedule

__all__ = ["Optimizer"]

_IN_USE = (
    "this optimizer is already training a model: wait for that call of fit to return, or give each "
    "model its own optimizer"
)


class Optimizer(Checked):
    """Base class of optimizers.

    An optimizer's state belongs to the model that it trains. Given a different model, it starts
    from scratch.

    Attributes
    ----------
    kind : str
        The name of its update in `fastmlp.ops.update`.
    state_names : tuple of str
        Names of the arrays in `state`, at most two.
    lr : float or Schedule
        The learning rate. All other arguments are attributes too; they can be changed between
        calls of ``fit``.
    t : int
        Number of steps so far.
    epoch : int
        Number of whole epochs run by ``fit`` so far.
    state1, state2 : numpy.ndarray or None
        Flat arrays laid out like ``model.theta``, or None if the optimizer does not use them.

    """

    kind: str
    state_names: tuple[str, ...] = ()
    t: int = 0
    epoch: int = 0
    state1: np.ndarray | None = None
    state2: np.ndarray | None = None

    def __init__(
        self,
        lr: float | Schedule,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        max_norm: float | None = None,
    ):
        self.lr: float | Schedule = lr if as_schedule(lr) is lr else non_negative("lr", lr)
        self.weight_decay: float = non_negative("weight_decay", weight_decay)
        self.clip_norm: float | None = _limit("clip_norm", clip_norm)
        self.max_norm: float | None = _limit("max_norm", max_norm)
        self._in_use = Exclusive(_IN_USE)
        self.reset()

    def hyper(self) -> dict[str, float]:
        """Return the arguments for `fastmlp.ops.hyper` other than lr, weight_decay and t."""
        return {}

    @property
    def state(self) -> Arrays:
        """Flat arrays by name, laid out like ``model.theta``; empty before the first step."""
        pair = zip(self.state_names, (self.state1, self.state2), strict=False)
        return Arrays({name: array for name, array in pair if array is not None})

    def reset(self) -> None:
        """Discard the state and set all counters to 0."""
        self.t = 0
        self.epoch = 0
        self.state1 = None
        self.state2 = None
        self._model_key: Any = None

    def fits(self, model: Trainable) -> bool:
        """Tell whether the state is empty or belongs to the model, so that `prepare` keeps it."""
        return self._model_key in (None, model.key)

    def being_used(self) -> AbstractContextManager[None]:
        """Reserve the optimizer for one call of ``fit``: another one gets a RuntimeError."""
        return self._in_use.held()

    def prepare(self, model: Trainable) -> None:
        """Create missing state; discard state that belongs to another model.

        Raises
        ------
        ValueError
            If a state array was assigned that is not laid out like ``model.theta``.

        """
        if self._model_key != model.key:
            self.reset()
            self._model_key = model.key
        theta = model.theta
        if self.state_names and self.state1 is None:
            self.state1 = ops.aligned_zeros(theta.size, theta.dtype)
        if len(self.state_names) > 1 and self.state2 is None:
            self.state2 = ops.aligned_zeros(theta.size, theta.dtype)
        # arrays from a memory-mapped pickle are read-only
        for place in ("state1", "state2"):
            array = getattr(self, place)
            if array is not None and not array.flags.writeable:
                setattr(self, place, array.copy())
        for name, state in self.state.items():
            if (state.shape, state.dtype) != (theta.shape, theta.dtype):
                raise ValueError(
                    f"the optimizer's {name} must be laid out like model.theta, {theta.dtype} of "
                    f"shape {theta.shape}, got {state.dtype} of shape {state.shape}"
                )

    def step(self, model: Trainable, *, lr: float | None = None, fade: float = 1.0) -> None:
        """Take one step with the gradients in ``model.grad``.

        Parameters
        ----------
        model : Sequential
            Its gradients come from ``model.loss_and_grads`` or from `backward` of its layers.
        lr : float, optional
            Learning rate of this step. Default: the optimizer's own, if that is a number.
        fade : float, default 1.0
            What multiplies the weight decay of this step.

        Raises
        ------
        ValueError
            If the optimizer has a schedule and no lr is given, or its state does not fit the model.

        """
        if lr is None:
            if hasattr(self.lr, "rates"):
                raise ValueError(f"step needs lr=, since the optimizer has a schedule: {self.lr}")
            lr = non_negative("lr", self.lr)
        self.prepare(model)
        self.t += 1
        theta, grad = model.theta, model.grad
        if self.clip_norm is not None:
            ops.clip_by_norm(grad, self.clip_norm)
        decay = fade * self.weight_decay
        hyper = ops.hyper(lr=lr, weight_decay=decay, t=self.t, **self.hyper())
        for slot, factors in zip(model.slots, model.factors, strict=True):
            part = slice(slot.offset, slot.end)
            state1, state2 = (None if s is None else s[part] for s in (self.state1, self.state2))
            own = ops.with_factors(hyper, factors)
            ops.update(self.kind, theta[part], grad[part], state1, state2, own)
            if self.max_norm is not None and len(slot.shape) == 2:
                ops.max_norm(slot.view(theta), self.max_norm)

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but the lock, so that a copy is not locked."""
        return {name: value for name, value in vars(self).items() if name != "_in_use"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state, with a new lock."""
        self.__dict__.update(state)
        self._in_use = Exclusive(_IN_USE)

    def __repr__(self) -> str:
        """Show the call that creates this optimizer."""
        hidden = ("t", "epoch", "state1", "state2")
        values = (
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if name not in hidden and not name.startswith("_") and value is not None
        )
        return f"{type(self).__name__}({', '.join(values)})"


def _limit(name: str, value: Any) -> float | None:
    return None if value is None else positive(name, value)
