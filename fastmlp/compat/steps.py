"""Minibatch steps, by the compiled engine, of a net whose arrays are in a user's dicts.

The training loops in compat draw rows as the originals do, and pass them on in stretches from one
event (a printed line, the end of an epoch) to the next. `run` takes the steps. It uses the loop's
own readable step if there is no compiled one, or after a loss that is not finite, since the
original would carry on.
"""

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastmlp import losses
from fastmlp.compat import arrays
from fastmlp.engine import compiled, inference
from fastmlp.engine.interrupt import Interrupt
from fastmlp.layers import Layer
from fastmlp.model import Sequential
from fastmlp.optimizers import Optimizer

__all__ = ["CompiledSteps", "Mirror", "Parameter", "run"]


class Parameter(NamedTuple):
    """Where to find one parameter of the net and its optimizer state.

    Attributes
    ----------
    name : str
        Its name in the model, such as ``"0.weight"``.
    holder, key : dict and its key
        ``holder[key]`` is the user's array.
    transposed : bool
        Whether it is the transpose of the model's array.
    states : sequence of (dict, key)
        Where the optimizer's state arrays are; they may be missing before the first step.

    """

    name: str
    holder: MutableMapping[Any, Any]
    key: Any
    transposed: bool = False
    states: Sequence[tuple[MutableMapping[Any, Any], Any]] = ()


class Mirror:
    """A fastmlp model that mirrors a net whose arrays are in dicts.

    Parameters
    ----------
    layers : sequence of Layer
        New layers in the net's order; their own initial values are never used.
    parameters : sequence of Parameter
        One for every parameter of the layers.
    running : sequence of (int, dict)
        Index of each BatchNorm, and the user's dict with its running_mean and running_var.

    """

    def __init__(
        self,
        layers: Sequence[Layer],
        parameters: Sequence[Parameter],
        running: Sequence[tuple[int, MutableMapping[str, Any]]] = (),
    ):
        dtype = arrays.working_dtype(*(np.asarray(p.holder[p.key]) for p in parameters))
        self.model = Sequential(*layers, dtype=dtype)
        self.parameters, self.running = parameters, running

    def enter(self) -> None:
        """Copy the values of the user's arrays to the model."""
        for p in self.parameters:
            for flat, (holder, key) in self._pairs(p):
                view, value = self._view(p, flat), holder.get(key)
                view[...] = 0.0 if value is None else np.reshape(value, view.shape)
        for index, held in self.running:
            for name, array in self.model.stages[index].state.items():
                array[...] = held.get(name, 0.0)

    def leave(self) -> None:
        """Copy the model's values to the user's arrays, in place if possible."""
        for p in self.parameters:
            shape = np.shape(p.holder[p.key])
            for flat, (holder, key) in self._pairs(p):
                arrays.put(holder, key, self._view(p, flat).reshape(shape))
        for index, held in self.running:
            for name, array in self.model.stages[index].state.items():
                arrays.put(held, name, array)

    def predict(self, X: Any) -> np.ndarray:
        """Return the scores (N, C) of rows X in inference mode."""
        return inference.predict(self.model, self._rows(X))

    def _rows(self, X: Any) -> np.ndarray:
        """Return X in the form that the engine reads: (N, D), row-major, uint8 or float."""
        X = np.asarray(X)
        kept = X.dtype in (np.uint8, np.float32, np.float64)  # compares byte order too
        return np.ascontiguousarray(X.reshape(len(X), -1), X.dtype if kept else self.model.dtype)

    def _flat(self) -> tuple[np.ndarray, ...]:
        """Return the model's flat arrays: parameters, then one for each of ``states``."""
        return (self.model.theta,)

    def _pairs(self, p: Parameter) -> Any:
        """Return the model's flat arrays, each with its place in the user's dicts."""
        return zip(self._flat(), ((p.holder, p.key), *p.states), strict=True)

    def _view(self, parameter: Parameter, flat: np.ndarray) -> np.ndarray:
        slot = next(slot for slot in self.model.slots if slot.name == parameter.name)
        view = slot.view(flat)
        return view.T if parameter.transposed else view


class CompiledSteps(Mirror):
    """A mirror that can be trained.

    Parameters
    ----------
    layers, parameters, running
        As `Mirror`.
    optimizer : Optimizer
        A new optimizer; its learning rate is not used.
    X : array, shape (N, ...)
    y : int array, shape (N,)
        Labels.
    batch_size : int
        Largest number of rows in a step.
    l2 : float, default 0.0
        Penalty on all weight matrices.
    seed : int, default 0
        Seed of the dropout masks.
    counters : sequence of (dict, key)
        Places in the user's dicts that hold the optimizer's step count, all the same.

    Attributes
    ----------
    intact : bool
        Whether every loss was finite; if not, the user's arrays are ahead of the model's.

    """

    def __init__(
        self,
        layers: Sequence[Layer],
        parameters: Sequence[Parameter],
        optimizer: Optimizer,
        X: Any,
        y: Any,
        batch_size: int,
        *,
        l2: float = 0.0,
        seed: int = 0,
        running: Sequence[tuple[int, MutableMapping[str, Any]]] = (),
        counters: Sequence[tuple[MutableMapping[str, Any], str]] = (),
    ):
        super().__init__(layers, parameters, running)
        self.optimizer, self.counters = optimizer, counters
        self.intact = True
        loss, X = losses.CrossEntropy(), self._rows(X)
        labels = loss.as_targets(y, len(X), self.model.check_inputs(X), self.model.dtype)
        optimizer.prepare(self.model)
        self.enter()
        self._runner = compiled.CompiledRunner(
            self.model, loss, optimizer, X, labels, None, batch_size, None, "highest", l2, seed
        )

    def enter(self) -> None:
        """Copy the user's arrays and step count to the model and its optimizer."""
        super().enter()
        for holder, key in self.counters:
            self.optimizer.t = holder[key]

    def leave(self) -> None:
        """Copy the model's values and the step count to the user's dicts."""
        super().leave()
        for holder, key in self.counters:
            holder[key] = self.optimizer.t

    def run(self, order: np.ndarray, n_steps: int, rate: float) -> np.ndarray:
        """Take steps on the rows of ``order``, minibatch by minibatch; return their losses.

        Stop after a loss that is not finite and return fewer than ``n_steps`` losses.
        """
        with Interrupt():
            result = self._runner.train_epoch(order, 0, np.full(n_steps, float(rate)), _no_news)
            if result.interrupted:
                self.leave()
                raise KeyboardInterrupt
        self.intact = result.diverged_step is None
        return result.losses

    def _flat(self) -> tuple[np.ndarray, ...]:
        states = (self.optimizer.state1, self.optimizer.state2)
        return (self.model.theta, *(s for s in states if s is not None))


def run(
    steps: CompiledSteps | None,
    readable: Callable[[np.ndarray], float],
    batches: Sequence[np.ndarray],
    rate: float,
) -> list[float]:
    """Return the loss of a step on each of the batches of row numbers.

    Parameters
    ----------
    steps : CompiledSteps or None
        If None, all steps are readable ones.
    readable : callable
        Takes row numbers, makes one step on them with the user's arrays, and returns its loss.
    batches : sequence of int arrays
        Row numbers; all of the same length, except for the last.
    rate : float
        The learning rate of the compiled steps.

    """
    made: list[float] = []
    if steps is not None and steps.intact and batches:
        made.extend(map(float, steps.run(np.concatenate(batches), len(batches), rate)))
        if not steps.intact:
            steps.leave()
    made.extend(readable(rows) for rows in batches[len(made) :])
    return made


def _no_news() -> None:
    """Report nothing: the loops print only between stretches."""
