"""How much each column matters: what the score loses if the column's values are shuffled."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from fastmlp.tabular.columns import CategoryColumn
from fastmlp.tabular.encoder import Encoded, TableEncoder
from fastmlp.tabular.learning import HeldOut
from fastmlp.tabular.metrics import Metric
from fastmlp.tabular.rows import Rows

__all__ = ["REPEATS", "column_importances", "importances"]

REPEATS = 5


def importances(
    encoder: TableEncoder, held_out: Sequence[HeldOut], metric: Metric, seed: int
) -> np.ndarray:
    """Return the importance of each column of the table, by the validation rows.

    Networks are asked only about rows that they did not train on.

    Parameters
    ----------
    encoder : TableEncoder
    held_out : sequence of HeldOut
    metric : Metric
    seed : int

    Returns
    -------
    ndarray of shape (number of columns,)
        In units of the metric; 0 for columns that are left out.

    """
    rng = np.random.default_rng(seed)
    n_rows = sum(len(part.rows) for part in held_out)
    return np.sum(
        [
            column_importances(encoder, part.rows, partial(_mean, part), metric, rng)
            * (len(part.rows) / n_rows)
            for part in held_out
        ],
        axis=0,
    )


def column_importances(
    encoder: TableEncoder,
    rows: Rows,
    predict: Callable[[Encoded], np.ndarray],
    metric: Metric,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the importance of each column of the table (Breiman, 2001).

    The values of one column are shuffled among the rows; its importance is how much worse the
    metric becomes, the mean of five shufflings.

    Parameters
    ----------
    encoder : TableEncoder
    rows : Rows
        Rows that were not trained on.
    predict : callable
        From encoded rows to probabilities or numbers.
    metric : Metric
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (number of columns,)
        In units of the metric; 0 for columns that are left out.

    """
    found = np.zeros(len(encoder.columns))
    whole = _score(rows, rows.inputs, predict, metric)
    place = code_place = 0
    for index, column in enumerate(encoder.columns):
        width, is_category = len(column.outputs), isinstance(column, CategoryColumn)
        if not width and not is_category:
            continue
        losses = []
        for _ in range(REPEATS):
            order = rng.permutation(len(rows))
            numbers, codes = rows.inputs.numbers.copy(), rows.inputs.codes.copy()
            if is_category:
                codes[:, code_place] = codes[order, code_place]
            else:
                numbers[:, place : place + width] = numbers[order, place : place + width]
            shuffled = Encoded(numbers, codes, rows.inputs.sizes)
            losses.append(metric.sign * (whole - _score(rows, shuffled, predict, metric)))
        found[index] = np.mean(losses)
        place, code_place = place + width, code_place + is_category
    return found


def _mean(part: HeldOut, inputs: Encoded) -> np.ndarray:
    return part.mean([member.recipe.predict(inputs) for member in part.members])


def _score(
    rows: Rows, inputs: Encoded, predict: Callable[[Encoded], np.ndarray], metric: Metric
) -> float:
    return metric.score(rows.y, predict(inputs), rows.weights)
