"""How much each column matters: what the score loses if the column's values are shuffled."""

from collections.abc import Sequence

import numpy as np

from fastmlp.tabular.columns import CategoryColumn
from fastmlp.tabular.encoder import Encoded, TableEncoder
from fastmlp.tabular.learning import HeldOut
from fastmlp.tabular.metrics import Metric

__all__ = ["importances"]

REPEATS = 5


def importances(
    encoder: TableEncoder, held_out: Sequence[HeldOut], metric: Metric, seed: int
) -> np.ndarray:
    """Return the importance of each column of the table (Breiman, 2001).

    The values of one column are shuffled among the validation rows; its importance is how much
    worse the metric becomes, the mean of five shufflings. Networks are asked only about rows that
    they did not train on.

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
    found = np.zeros(len(encoder.columns))
    n_rows = sum(len(part.rows) for part in held_out)
    for part in held_out:
        whole = _score(part, part.rows.inputs, metric)
        place = code_place = 0
        for index, column in enumerate(encoder.columns):
            width, is_category = len(column.outputs), isinstance(column, CategoryColumn)
            if not width and not is_category:
                continue
            losses = []
            for _ in range(REPEATS):
                order = rng.permutation(len(part.rows))
                numbers, codes = part.rows.inputs.numbers.copy(), part.rows.inputs.codes.copy()
                if is_category:
                    codes[:, code_place] = codes[order, code_place]
                else:
                    numbers[:, place : place + width] = numbers[order, place : place + width]
                shuffled = Encoded(numbers, codes, part.rows.inputs.sizes)
                losses.append(metric.sign * (whole - _score(part, shuffled, metric)))
            found[index] += np.mean(losses) * len(part.rows) / n_rows
            place, code_place = place + width, code_place + is_category
    return found


def _score(part: HeldOut, inputs: Encoded, metric: Metric) -> float:
    predicted = np.mean([member.recipe.predict(inputs) for member in part.members], axis=0)
    return metric.score(part.rows.y, predicted, part.rows.weights)
