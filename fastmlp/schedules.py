"""Learning-rate schedules. A schedule returns the rates of many consecutive steps at once."""

import math
from typing import Any, ClassVar, cast

import numpy as np

from fastmlp.common.attributes import Checked
from fastmlp.common.validation import fraction, non_negative, positive, positive_int

__all__ = [
    "SCHEDULES",
    "Constant",
    "CosLog4",
    "Cosine",
    "Exponential",
    "FlatCos",
    "OneCycle",
    "Schedule",
    "Step",
    "WarmUp",
    "Whole",
    "as_schedule",
    "is_built_in",
]


class Schedule(Checked):
    """Base class of schedules; subclasses define `at`."""

    is_constant: ClassVar[bool] = False  # whether every step has the same rate

    @classmethod
    def for_training(cls, lr: float, epochs: int, steps_per_epoch: int) -> "Schedule":
        """Return this schedule with sensible settings for a training of known length.

        This is what the command line does with ``--schedule NAME --lr RATE``. A subclass that
        needs more than a learning rate overrides it.

        Parameters
        ----------
        lr : float
            The highest rate.
        epochs : int
            Epochs of the training.
        steps_per_epoch : int
            Steps of one epoch.

        """
        create: type[Any] = cls
        return create(lr)

    def rates(
        self, first_step: int, n_steps: int, steps_per_epoch: int, total_steps: int
    ) -> np.ndarray:
        """Return the learning rates of consecutive steps.

        Parameters
        ----------
        first_step : int
            Number of steps already taken, 0 at the start of training.
        n_steps : int
            How many rates to return.
        steps_per_epoch : int
            Steps of one epoch.
        total_steps : int
            Number of steps from the start of training to the end of this call of ``fit``.

        Returns
        -------
        numpy.ndarray, float64, shape (n_steps,)

        """
        steps = np.arange(first_step, first_step + n_steps, dtype=np.float64)
        return np.asarray(self.at(steps, steps_per_epoch, total_steps), dtype=np.float64)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return the rate at each step; steps are whole numbers from 0, as float64."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Show the call that creates this schedule."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"


class Constant(Schedule):
    """The same rate at every step."""

    is_constant = True

    def __init__(self, lr: float):
        self.lr: float = non_negative("lr", lr)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """lr."""
        return np.full(steps.shape, self.lr)


class Step(Schedule):
    """lr * factor**(epoch // every): the rate drops by a factor every few epochs."""

    def __init__(self, lr: float, every: int, factor: float = 0.1):
        self.lr: float = non_negative("lr", lr)
        self.every: int = positive_int("every", every)
        self.factor: float = positive("factor", factor)

    @classmethod
    def for_training(cls, lr: float, epochs: int, steps_per_epoch: int) -> "Step":
        """Return one that falls twice, after a third and two thirds of the epochs."""
        return cls(lr, every=max(1, -(-epochs // 3)), factor=0.1)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return lr * factor**(epoch // every)."""
        return self.lr * self.factor ** (steps // (steps_per_epoch * self.every))


class Exponential(Schedule):
    """lr * decay**epoch, constant during each epoch."""

    def __init__(self, lr: float, decay: float):
        self.lr: float = non_negative("lr", lr)
        self.decay: float = positive("decay", decay)

    @classmethod
    def for_training(cls, lr: float, epochs: int, steps_per_epoch: int) -> "Exponential":
        """Return one that ends at a hundredth of the rate."""
        return cls(lr, decay=0.01 ** (1 / epochs))

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return lr * decay**epoch."""
        return self.lr * self.decay ** (steps // steps_per_epoch)


class Cosine(Schedule):
    """Half a cosine from lr down to final (Loshchilov and Hutter, 2017, without restarts).

    Parameters
    ----------
    lr : float
        The first rate.
    final : float, default 0.0
        The rate after the last step.
    epochs : int, optional
        Length of the decay; default: all epochs of the call of ``fit``. Set it if training is
        spread over several calls of ``fit``.

    """

    def __init__(self, lr: float, final: float = 0.0, epochs: int | None = None):
        self.lr: float = non_negative("lr", lr)
        self.final: float = non_negative("final", final)
        self.epochs: int | None = None if epochs is None else positive_int("epochs", epochs)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return final + (lr - final) * (1 + cos(pi * step / total)) / 2."""
        total = total_steps if self.epochs is None else self.epochs * steps_per_epoch
        return _cosine(self.lr, self.final, steps / max(total, 1))


class CosLog4(Schedule):
    """Four cosine waves from 0 to lr and back, each twice as long as the one before it.

    lr * (1 - cos(2 pi log2(1 + 15 t))) / 2, where t is the share of all steps done: the schedule
    of RealMLP (Holzmueller, Grinsztajn and Steinwart, 2024). The last steps are the smallest.
    """

    def __init__(self, lr: float):
        self.lr: float = non_negative("lr", lr)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return lr * (1 - cos(2 pi log2(1 + 15 step / total))) / 2."""
        share = np.minimum(steps / max(total_steps, 1), 1.0)
        return self.lr * 0.5 * (1.0 - np.cos(2.0 * math.pi * np.log2(1.0 + 15.0 * share)))


class FlatCos(Schedule):
    """lr for the first half of all steps, then half a cosine down to 0."""

    def __init__(self, lr: float):
        self.lr: float = non_negative("lr", lr)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return lr * (1 + cos(pi * max(0, 2 step / total - 1))) / 2."""
        return _cosine(self.lr, 0.0, 2.0 * steps / max(total_steps, 1) - 1.0)


class OneCycle(Schedule):
    """Rise from max_lr / start_divisor to max_lr, then fall far below (Smith and Topin, 2018).

    Parameters
    ----------
    max_lr : float
        The highest rate.
    rise : float, default 0.3
        Share of the steps during which the rate rises; >= 0 and < 1.
    start_divisor : float, default 25.0
        The first rate is ``max_lr / start_divisor``.
    final_divisor : float, default 1e4
        The last rate is the first one divided by this.
    epochs : int, optional
        Length of the cycle; default: all epochs of the call of ``fit``.

    """

    def __init__(
        self,
        max_lr: float,
        rise: float = 0.3,
        start_divisor: float = 25.0,
        final_divisor: float = 1e4,
        epochs: int | None = None,
    ):
        self.max_lr: float = non_negative("max_lr", max_lr)
        self.rise: float = fraction("rise", rise)
        self.start_divisor: float = positive("start_divisor", start_divisor)
        self.final_divisor: float = positive("final_divisor", final_divisor)
        self.epochs: int | None = None if epochs is None else positive_int("epochs", epochs)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return half a cosine up to max_lr, followed by half a cosine down."""
        total = total_steps if self.epochs is None else self.epochs * steps_per_epoch
        last = max(total - 1, 1)
        peak = self.rise * last
        start = self.max_lr / self.start_divisor
        up = _cosine(start, self.max_lr, steps / max(peak, 1e-12))
        down = _cosine(self.max_lr, start / self.final_divisor, (steps - peak) / (last - peak))
        return np.where(steps < peak, up, down)


class WarmUp(Schedule):
    """Another schedule, scaled by a factor that grows linearly to 1 over the first steps.

    Parameters
    ----------
    steps : int
        Number of steps until the rate is that of the other schedule.
    schedule : Schedule or float
        The other schedule, or a constant rate.

    """

    def __init__(self, steps: int, schedule: "Schedule | float"):
        self.steps: int = positive_int("steps", steps)
        self.schedule: Schedule = as_schedule(schedule)

    @classmethod
    def for_training(cls, lr: float, epochs: int, steps_per_epoch: int) -> "WarmUp":
        """Return one that rises over a twentieth of the steps and then stays constant."""
        return cls(max(1, steps_per_epoch * epochs // 20), lr)

    def at(self, steps: np.ndarray, steps_per_epoch: int, total_steps: int) -> np.ndarray:
        """Return schedule(step) * min(1, (step + 1) / steps)."""
        rates = self.schedule.at(steps, steps_per_epoch, total_steps)
        return rates * np.minimum(1.0, (steps + 1.0) / self.steps)


class Whole(Schedule):
    """Another schedule, spread over a training that takes several calls of ``fit``.

    Parameters
    ----------
    epochs : int
        Epochs of all calls together.
    schedule : Schedule

    """

    def __init__(self, epochs: int, schedule: Schedule):
        self.epochs: int = positive_int("epochs", epochs)
        self.schedule: Schedule = schedule

    def rates(
        self, first_step: int, n_steps: int, steps_per_epoch: int, total_steps: int
    ) -> np.ndarray:
        """Return the rates that the other schedule has in the whole training."""
        whole = self.epochs * steps_per_epoch
        return self.schedule.rates(first_step, n_steps, steps_per_epoch, whole)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
    "one_cycle": OneCycle,
    "warm_up": WarmUp,
    "coslog4": CosLog4,
    "flat_cos": FlatCos,
}


def as_schedule(lr: "float | Schedule", name: str = "lr") -> Schedule:
    """Return lr itself if it is a schedule (has ``rates``), else a constant schedule.

    Raises
    ------
    TypeError, ValueError
        If lr is neither a schedule nor a finite number >= 0.

    """
    if hasattr(lr, "rates"):
        return cast("Schedule", lr)
    return Constant(non_negative(name, lr))


def is_built_in(schedule: Any) -> bool:
    """Return whether a schedule, and one inside it, is one of ours: the step alone decides."""
    while type(schedule) in (WarmUp, Whole):
        schedule = schedule.schedule
    return type(schedule) in SCHEDULES.values()


def _cosine(start: float, end: float, share: np.ndarray) -> np.ndarray:
    """Return half a cosine from start (share 0) to end (share 1), constant outside [0, 1]."""
    return end + (start - end) * (1.0 + np.cos(math.pi * np.clip(share, 0.0, 1.0))) / 2.0
