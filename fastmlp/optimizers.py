"""Optimizers: how a training step changes the parameters. `fastmlp.ops.update` computes them.

w a parameter, g its gradient, lr the learning rate. Every optimizer takes the learning rate as a
number or a schedule, and
``weight_decay`` (g + weight_decay * w, on weight matrices only), ``clip_norm`` (the gradient of all
parameters together is scaled down to this norm) and ``max_norm`` (after the update, each unit's
incoming weights are scaled down to this norm).
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import ops
from fastmlp.attributes import require_known
from fastmlp.engine.parameters import Arrays
from fastmlp.errors import unknown
from fastmlp.exclusive import Exclusive
from fastmlp.schedules import Schedule, as_schedule
from fastmlp.validation import fraction, non_negative, positive

if TYPE_CHECKING:
    from fastmlp.model import Model

__all__ = ["OPTIMIZERS", "SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "get"]


_IN_USE = (
    "this optimizer is already training a model: wait for that call of fit to return, or give each "
    "model its own optimizer"
)


class Optimizer:
    """Base class of optimizers.

    An optimizer's state belongs to the model that it trains. Given a different model, it starts
    from scratch.

    Attributes
    ----------
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

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a known attribute; refuse others, since a misspelt name would go unnoticed."""
        require_known(self, name)
        object.__setattr__(self, name, value)

    @property
    def kind(self) -> str:
        """The update's name in `fastmlp.ops.update`."""
        raise NotImplementedError

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

    def being_used(self) -> AbstractContextManager[None]:
        """Reserve the optimizer for one call of ``fit``: another one gets a RuntimeError."""
        return self._in_use.held()

    def prepare(self, model: "Model") -> None:
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
        self.state1, self.state2 = (
            s.copy() if s is not None and not s.flags.writeable else s
            for s in (self.state1, self.state2)
        )
        for name, state in self.state.items():
            if (state.shape, state.dtype) != (theta.shape, theta.dtype):
                raise ValueError(
                    f"the optimizer's {name} must be laid out like model.theta, {theta.dtype} of "
                    f"shape {theta.shape}, got {state.dtype} of shape {state.shape}"
                )

    def step(self, model: "Model", *, lr: float | None = None) -> None:
        """Take one step with the gradients in ``model.grad``.

        Parameters
        ----------
        model : Sequential
            Its gradients come from ``model.loss_and_grads`` or from `backward` of its layers.
        lr : float, optional
            Learning rate of this step. Default: the optimizer's own, if that is a number.

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
        hyper = ops.hyper(lr=lr, weight_decay=self.weight_decay, t=self.t, **self.hyper())
        for slot in model.slots:
            part = slice(slot.offset, slot.end)
            state1, state2 = (None if s is None else s[part] for s in (self.state1, self.state2))
            ops.update(self.kind, theta[part], grad[part], state1, state2, hyper, slot.is_weight)
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


class SGD(Optimizer):
    """w -= lr g; with momentum mu, v = mu v - lr g and w += v; Nesterov: w += mu v - lr g.

    Parameters
    ----------
    lr : float or Schedule, default 0.01
    momentum : float, default 0.0
        mu; 0 <= mu < 1.
    nesterov : bool, default False
        Whether to use Nesterov's look-ahead (Sutskever et al., 2013); needs momentum > 0.

    """

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm, max_norm)
        self.momentum: float = fraction("momentum", momentum)
        self.nesterov: bool = bool(nesterov)
        if nesterov and not momentum:
            raise ValueError("nesterov needs a momentum above 0, for example momentum=0.9")

    @property
    def kind(self) -> str:
        """The update's name in `fastmlp.ops.update`: sgd, momentum or nesterov."""
        if not self.momentum:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def state_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The velocity, if there is momentum."""
        return ("velocity",) if self.momentum else ()

    def hyper(self) -> dict[str, float]:
        """Momentum."""
        return {"beta1": self.momentum}


class RMSprop(Optimizer):
    """c = d c + (1 - d) g**2; w -= lr g / (sqrt(c) + eps) (Tieleman and Hinton, 2012).

    Parameters
    ----------
    lr : float or Schedule, default 1e-3
    decay : float, default 0.9
        d; 0 <= d < 1.
    eps : float, default 1e-8
    eps_in_root : bool, default False
        Divide by sqrt(c + eps) instead.

    """

    state_names: tuple[str, ...] = ("cache",)

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        decay: float = 0.9,
        eps: float = 1e-8,
        *,
        eps_in_root: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm, max_norm)
        self.decay: float = fraction("decay", decay)
        self.eps: float = positive("eps", eps)
        self.eps_in_root: bool = bool(eps_in_root)

    @property
    def kind(self) -> str:
        """The update's name in `fastmlp.ops.update`: rmsprop or rmsprop_in_root."""
        return "rmsprop_in_root" if self.eps_in_root else "rmsprop"

    def hyper(self) -> dict[str, float]:
        """Return decay, as beta2, and eps by name."""
        return {"beta2": self.decay, "eps": self.eps}


class Adam(Optimizer):
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g**2; w -= lr m^ / (sqrt(v^) + eps).

    m^ = m / (1 - b1**t), v^ = v / (1 - b2**t) (Kingma and Ba, 2015, algorithm 1).

    Parameters
    ----------
    lr : float or Schedule, default 1e-3
    beta1, beta2 : float, default 0.9, 0.999
        b1 and b2, the decay rates of the two averages; both >= 0 and < 1.
    eps : float, default 1e-8

    """

    state_names: tuple[str, ...] = ("m", "v")

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm, max_norm)
        self.beta1: float = fraction("beta1", beta1)
        self.beta2: float = fraction("beta2", beta2)
        self.eps: float = positive("eps", eps)

    @property
    def kind(self) -> str:
        """adam."""
        return "adam"

    def hyper(self) -> dict[str, float]:
        """Return both betas and eps by name."""
        return {"beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}


class AdamW(Adam):
    """Adam with decoupled weight decay: w -= lr * weight_decay * w, not through the gradient.

    Takes the arguments of `Adam`, but ``weight_decay`` is 1e-2 by default (Loshchilov and Hutter,
    2019, algorithm 2).
    """

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        *,
        weight_decay: float = 1e-2,
        clip_norm: float | None = None,
        max_norm: float | None = None,
    ):
        limits = {"weight_decay": weight_decay, "clip_norm": clip_norm, "max_norm": max_norm}
        super().__init__(lr, beta1, beta2, eps, **limits)  # type: ignore[arg-type]

    @property
    def kind(self) -> str:
        """adamw."""
        return "adamw"


class Adagrad(Optimizer):
    """c += g**2; w -= lr g / (sqrt(c) + eps) (Duchi et al., 2011).

    Parameters
    ----------
    lr : float or Schedule, default 0.01
    eps : float, default 1e-8

    """

    state_names: tuple[str, ...] = ("cache",)

    def __init__(
        self,
        lr: float | Schedule = 0.01,
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm, max_norm)
        self.eps: float = positive("eps", eps)

    @property
    def kind(self) -> str:
        """adagrad."""
        return "adagrad"

    def hyper(self) -> dict[str, float]:
        """eps."""
        return {"eps": self.eps}


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "adagrad": Adagrad,
}


def get(optimizer: Any) -> Optimizer:
    """Return a new optimizer with the given name and its defaults, or the object itself.

    Raises
    ------
    TypeError, ValueError
        If the name is unknown, or the object is not an optimizer.

    """
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise unknown("optimizer", optimizer, OPTIMIZERS)
        return OPTIMIZERS[optimizer]()  # type: ignore[call-arg]
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be a name or an optimizer object, got {optimizer!r}")
    return optimizer


def _limit(name: str, value: Any) -> float | None:
    return None if value is None else positive(name, value)
