"""Stochastic gradient descent, with or without momentum."""

from fastmlp.common.validation import fraction
from fastmlp.optimizers.base import Optimizer
from fastmlp.schedules import Schedule

__all__ = ["SGD"]


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
    def kind(self) -> str:  # type: ignore[override] - depends on a setting
        """The update's name in `fastmlp.ops.update`: sgd, momentum or nesterov."""
        if not self.momentum:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def state_names(self) -> tuple[str, ...]:  # type: ignore[override] - depends on a setting
        """The velocity, if there is momentum."""
        return ("velocity",) if self.momentum else ()

    def hyper(self) -> dict[str, float]:
        """Return momentum, as beta1."""
        return {"beta1": self.momentum}
