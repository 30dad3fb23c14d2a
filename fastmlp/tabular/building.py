"""From a table and its targets to a model: encoding, training, and what is told about it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.tabular.encoder import TableEncoder
from fastmlp.tabular.learning import Learned, Trained, learn
from fastmlp.tabular.methods import DIFFERING, described, settings_of
from fastmlp.tabular.model import TableModel
from fastmlp.tabular.plan import Plan
from fastmlp.tabular.rows import Rows

__all__ = ["Built", "build"]


@dataclass(frozen=True, eq=False)
class Built:
    """A new model, with what is known of its training.

    Attributes
    ----------
    model : TableModel
    learned : Learned
    out_of_fold : ndarray of shape (N, C) or (N,)
        Predictions for the training rows by the networks that did not train on them, NaN where
        there is none.
    score : float
        The metric of the networks together on their validation rows.

    """

    model: TableModel
    learned: Learned
    out_of_fold: np.ndarray
    score: float


def build(
    encoder: TableEncoder,
    rows: Rows,
    val: Rows | None,
    classes: np.ndarray | None,
    plan: Plan,
    target: str = "",
) -> Built:
    """Train the networks of a plan and return the model.

    Parameters
    ----------
    encoder : TableEncoder
        The one that encoded the rows.
    rows : Rows
        All rows but those that the user gives for validation.
    val : Rows or None
        Validation rows that the user gives.
    classes : ndarray of shape (C,), or None
    plan : Plan
    target : str
        The name of the predicted column.

    """
    learned = learn(rows, val, 0 if classes is None else len(classes), plan)
    out_of_fold = _out_of_fold(learned, len(rows))
    if val is None:
        known = ~np.isnan(out_of_fold).reshape(len(rows), -1)[:, 0]
        weights = None if rows.weights is None else rows.weights[known]
        score = plan.metric.score(rows.y[known], out_of_fold[known], weights)
    else:
        judged = learned.held_out[0]
        score = plan.metric.score(judged.rows.y, judged.predicted(), judged.rows.weights)
    told = {"score": score, "leaderboard": _leaderboard(learned, plan, score)}
    recipes = tuple(member.recipe for member in learned.members)
    weights = tuple(learned.weights)
    model = TableModel(encoder, recipes, weights, classes, plan.method, plan.metric, target, told)
    return Built(model, learned, out_of_fold, score)


def _out_of_fold(learned: Learned, n_rows: int) -> np.ndarray:
    shape = learned.members[0].predicted.shape[1:]
    total, count = np.zeros((n_rows, *shape)), np.zeros(n_rows)
    for part in learned.held_out:
        if part.places is not None:
            total[part.places] += part.predicted()
            count[part.places] += 1
    with np.errstate(invalid="ignore"):
        return total / count.reshape(-1, *[1] * len(shape))


def _leaderboard(learned: Learned, plan: Plan, score: float) -> list[dict[str, Any]]:
    """Return one row for each network and one for all together, the best first."""
    rows = [_row(number, network, plan) for number, network in enumerate(learned.networks, 1)]
    if len(rows) > 1:
        together = {
            "model": "ensemble",
            plan.metric.name: score,
            "epochs": sum(row["epochs"] for row in rows),
            "best_epoch": None,
            "seconds": round(sum(row["seconds"] for row in rows), 3),
        }
        rows.append(together)
    name, sign = plan.metric.name, plan.metric.sign
    return sorted(rows, key=lambda row: (np.isnan(row[name]), -sign * row[name]))


def _row(number: int, network: Trained, plan: Plan) -> dict[str, Any]:
    member = network.member
    row = {
        "model": f"{plan.method} {number}",
        plan.metric.name: member.score,
        "epochs": len(member.history),
        "best_epoch": member.history.best_epoch,
        "seconds": round(member.seconds, 3),
    }
    if plan.method in DIFFERING:
        settings = described(settings_of(plan.method, network.part.turn))
        row |= {"weight": round(network.weight, 4), "settings": settings}
    return row
