"""Optimizers that rescale the gradient of each parameter by what its past gradients were."""

from fastmlp.common.validation import fraction, positive
from fastmlp.optimizers.base import Optimizer
from fastmlp.schedules import Schedule

# What `fastmlp` and `fastmlp.optimizers` show; ADAPTIVE is the table behind their names.
__all__ = ["Adagrad", "Adam", "AdamW", "Lion", "RMSprop"]


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
    def kind(self) -> str:  # type: ignore[override] - depends on a setting
        """The update's name in `fastmlp.ops.update`, which depends on the place of eps."""
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

    kind: str = "adam"
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

    def hyper(self) -> dict[str, float]:
        """Return both betas and eps by name."""
        return {"beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}


class AdamW(Adam):
    """Adam with decoupled weight decay: w -= lr * weight_decay * w, not through the gradient.

    Takes the arguments of `Adam`, but ``weight_decay`` is 1e-2 by default (Loshchilov and Hutter,
    2019, algorithm 2).
    """

    kind: str = "adamw"

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
        super().__init__(
            lr,
            beta1,
            beta2,
            eps,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            max_norm=max_norm,
        )


class Adagrad(Optimizer):
    """c += g**2; w -= lr g / (sqrt(c) + eps) (Duchi et al., 2011).

    Parameters
    ----------
    lr : float or Schedule, default 0.01
    eps : float, default 1e-8

    """

    kind: str = "adagrad"
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

    def hyper(self) -> dict[str, float]:
        """Return eps by name."""
        return {"eps": self.eps}


class Lion(Optimizer):
    """w -= lr (sign(b1 m + (1 - b1) g) + weight_decay w); m = b2 m + (1 - b2) g.

    Every parameter moves by the learning rate, up or down (Chen et al., 2023, algorithm 2). The
    authors advise a rate 3 to 10 times smaller than for `AdamW`, and a weight decay, which is
    decoupled here too, larger by the same factor.

    Parameters
    ----------
    lr : float or Schedule, default 1e-4
    beta1, beta2 : float, default 0.9, 0.99
        b1 and b2, the share of the average m in the step, and its decay rate; both >= 0 and < 1.

    """

    kind: str = "lion"
    state_names: tuple[str, ...] = ("m",)

    def __init__(
        self,
        lr: float | Schedule = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        *,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        max_norm: float | None = None,
    ):
        super().__init__(lr, weight_decay, clip_norm, max_norm)
        self.beta1: float = fraction("beta1", beta1)
        self.beta2: float = fraction("beta2", beta2)

    def hyper(self) -> dict[str, float]:
        """Return both betas by name."""
        return {"beta1": self.beta1, "beta2": self.beta2}


ADAPTIVE: dict[str, type[Optimizer]] = {
    kind.__name__.lower(): kind for kind in (RMSprop, Adam, AdamW, Adagrad, Lion)
}
"""Name, as for `fit` and the command line -> the optimizer."""
