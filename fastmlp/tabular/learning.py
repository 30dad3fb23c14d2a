"""Training the networks of a plan, and choosing which of them form the ensemble."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fastmlp.common.errors import argument
from fastmlp.engine.interrupt import Interrupt
from fastmlp.tabular.affordable import affordable
from fastmlp.tabular.choosing import chosen_weights, weights_of_kinds
from fastmlp.tabular.methods import N_KINDS, settings_of
from fastmlp.tabular.metrics import Metric
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows
from fastmlp.tabular.splits import N_FOLDS, Part, parts
from fastmlp.tabular.trainer import Trainer
from fastmlp.tabular.training import Member

__all__ = ["HeldOut", "Learned", "Trained", "learn"]

MOST_NETWORKS = 32
"""With a time limit and no number of networks, no more are trained: they must also predict."""

MIXED_SIZE = 4
"""Networks of the method "mixed", without a time limit or a number of networks: two of each kind,
or with ``n_cv`` one of each kind for each fold. See docs/tables.md."""

PACK_SIZE = 6
"""Networks of a pack for each fold, without a time limit or a number of networks."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Validation rows, and the networks that did not train on them.

    Attributes
    ----------
    rows : Rows
    places : int ndarray, or None
        Where they stand among the training rows; None if the user gave them.
    members : list of Member
    weights : list of float
        Of the members in the mean.

    """

    rows: Rows
    places: np.ndarray | None
    members: list[Member] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def predicted(self) -> np.ndarray:
        """Return the mean of the networks' predictions."""
        return self.mean([member.predicted for member in self.members])

    def mean(self, predictions: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean of predictions by each of the networks."""
        return np.average(predictions, axis=0, weights=self.weights)


@dataclass(frozen=True, eq=False)
class Trained:
    """A network, the rows that it learned from, and its weight in the mean of all."""

    part: Part
    member: Member
    weight: float


@dataclass(frozen=True, eq=False)
class Learned:
    """All networks, in the order of the plan, and how those in the ensemble were validated."""

    networks: list[Trained]
    held_out: list[HeldOut]
    interrupted: bool

    @property
    def members(self) -> list[Member]:
        """The networks of the ensemble."""
        return [network.member for network in self.networks if network.weight > 0]

    @property
    def weights(self) -> list[float]:
        """Their weights, which sum to 1."""
        return [network.weight for network in self.networks if network.weight > 0]


def learn(rows: Rows, val: Rows | None, n_classes: int, plan: Plan) -> Learned:
    """Train the networks of a plan.

    A single network uses all threads. Of several, each thread trains one at a time; they have the
    same bits then as on any other number of threads, but which of them there was time for depends
    on the machine. Ctrl-C ends the training and keeps what there is.

    Parameters
    ----------
    rows : Rows
        All rows but those that the user gives for validation.
    val : Rows or None
        Validation rows that the user gives.
    n_classes : int
        0 for numbers.
    plan : Plan

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C came before the first network had an epoch.

    """
    todo = parts(
        len(rows),
        rows.y if n_classes else None,
        n_networks=_n_networks(plan),
        n_cv=plan.n_cv,
        given=val is not None,
        seed=plan.seed,
        keep_folds=plan.method == "pack",
    )
    todo, val, hurried = affordable(todo, rows, val, n_classes, plan)
    _warn_of_undefined(todo[: plan.n_cv or N_FOLDS], rows, val, n_classes, plan.metric)
    if plan.begun is not None:
        plan.begun(len(todo))
    with Interrupt() as interrupt:
        found = Trainer(rows, val, n_classes, plan, interrupt, hurried=hurried).run(todo)
        networks = _weighted(found, todo, rows, val, plan)
    if interrupt.pending and not any(len(network.member.history) for network in networks):
        raise KeyboardInterrupt
    held_out: dict[int, HeldOut] = {}
    for network in networks:
        part = network.part
        if part.number not in held_out:
            held_out[part.number] = HeldOut(_held_out(part, rows, val), part.val)
        if network.weight > 0:
            held_out[part.number].members.append(network.member)
            held_out[part.number].weights.append(network.weight)
    whole = [part for part in held_out.values() if part.members]
    return Learned(networks, whole, interrupt.pending)


def _warn_of_undefined(
    todo: Sequence[Part], rows: Rows, val: Rows | None, n_classes: int, metric: Metric
) -> None:
    """Warn if validation rows have no score, so that the loss decides which epoch is the best."""
    judged = [(rows, part.val) for part in todo if part.val is not None]
    judged += [] if val is None else [(val, np.arange(len(val)))]
    if not all(
        metric.is_defined(some.y[places], n_classes, _taken(some.weights, places))
        for some, places in judged
    ):
        what = "class" if n_classes else "number"
        warnings.warn(
            f"the {metric.label} is undefined for validation rows of a single {what}, so the loss "
            "decides which epoch is the best: more rows, or another "
            f"{argument('metric')}, would help",
            UserWarning,
            stacklevel=2,
        )


def _taken(weights: np.ndarray | None, places: np.ndarray) -> np.ndarray | None:
    return None if weights is None else weights[places]


def _n_networks(plan: Plan) -> int:
    """Return how many networks to train, for each fold of ``n_cv`` if there are such."""
    if plan.n_networks is not None:
        return plan.n_networks
    if plan.method == "pack":
        n_settings = PACK_SIZE if plan.deadline is None else MOST_NETWORKS
        return n_settings if plan.n_cv else n_settings * N_FOLDS
    if plan.deadline is not None:
        return MOST_NETWORKS
    if plan.method == "mixed":
        return N_KINDS if plan.n_cv else MIXED_SIZE
    return 1


def _weighted(
    found: Mapping[int, Member],
    todo: Sequence[Part],
    rows: Rows,
    val: Rows | None,
    plan: Plan,
) -> list[Trained]:
    """Return the networks that are worth keeping, with their weights."""
    if plan.method == "pack":
        good = {index: member for index, member in found.items() if len(member.history)}
    else:
        asked = plan.n_needed if plan.is_asked else 0
        good = {i: member for i, member in found.items() if i < asked or not member.is_cut}
    kept = sorted((good or found).items())
    own = [todo[index] for index, _ in kept]
    predicted = [member.predicted for _, member in kept]
    if plan.method == "pack":
        folds = {part.number: _held_out(part, rows, val) for part in own}
        weights = chosen_weights(own, predicted, folds, plan.metric)
    else:
        kinds = [settings_of(plan.method, part.turn) for part in own]
        judges = [_held_out(part, rows, val) for part in own]
        weights = weights_of_kinds(kinds, predicted, judges)
    return [Trained(p, m, float(w)) for p, (_, m), w in zip(own, kept, weights, strict=True)]


def _held_out(part: Part, rows: Rows, val: Rows | None) -> Rows:
    if part.val is not None:
        return rows.take(part.val)
    assert val is not None
    return val
