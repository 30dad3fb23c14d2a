"""Optimizers over the layers of a network: ``step()`` updates from the layers' ``grads``.

``net`` is a `sequential`, or a network that has one as ``.net``. State dicts are keyed by parameter
name and can be set from outside; missing entries start at 0.
"""

from typing import Any

from fastmlp.compat import arrays

__all__ = ["SGD", "SGDM", "Adam", "Optimizer", "RMSProp"]


class Optimizer:
    """Base class of the optimizers.

    Attributes
    ----------
    net, lr
        The arguments.

    """

    def __init__(self, net: Any, lr: float = 1e-4):
        self.net, self.lr = net, lr

    @property
    def layers(self) -> list[Any]:
        """The layers of the network."""
        return getattr(self.net, "net", self.net).layers

    def step(self) -> None:
        """Take one step."""
        raise NotImplementedError

    def _update(self, kind: str, *states: dict[str, Any], **numbers: Any) -> None:
        """Update every parameter and its states in place."""
        for layer in self.layers:
            for name in layer.params:
                gradient = layer.grads[name]
                arrays.step(kind, layer.params, name, gradient, states, lr=self.lr, **numbers)


class SGD(Optimizer):
    """w <- w - lr * g."""

    def step(self) -> None:
        """Take one step."""
        self._update("sgd")


class SGDM(Optimizer):
    """v <- momentum * v - lr * g; w <- w + v. State: ``velocity``."""

    def __init__(self, net: Any, lr: float = 1e-4, momentum: float = 0.0):
        super().__init__(net, lr)
        self.momentum = momentum
        self.velocity: dict[str, Any] = {}

    def step(self) -> None:
        """Take one step."""
        self._update("momentum", self.velocity, beta1=self.momentum)


class RMSProp(Optimizer):
    """c <- decay * c + (1 - decay) * g^2; w <- w - lr * g / sqrt(c + 1e-8). State: ``cache``."""

    def __init__(self, net: Any, lr: float = 1e-2, decay: float = 0.99):
        super().__init__(net, lr)
        self.decay = decay
        self.cache: dict[str, Any] = {}

    def step(self) -> None:
        """Take one step."""
        self._update("rmsprop_in_root", self.cache, beta2=self.decay, eps=1e-8)


class Adam(Optimizer):
    """Bias-corrected Adam, epsilon 1e-8 outside the root. State: ``mt``, ``vt`` and ``t``."""

    def __init__(
        self,
        net: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        t: int = 0,
    ):
        super().__init__(net, lr)
        self.beta1, self.beta2, self.t = beta1, beta2, t
        self.mt: dict[str, Any] = {}
        self.vt: dict[str, Any] = {}

    def step(self) -> None:
        """Increment ``t`` and take one step."""
        self.t += 1
        self._update(
            "adam", self.mt, self.vt, t=self.t, beta1=self.beta1, beta2=self.beta2, eps=1e-8
        )
