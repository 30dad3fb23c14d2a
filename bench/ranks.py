"""Mean ranks of methods over tables, and which differences of them are more than chance.

Demsar (2006), "Statistical comparisons of classifiers over multiple data sets".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Ranks", "holm", "ranked"]

LEVEL = 0.05


@dataclass(frozen=True)
class Ranks:
    """Methods by their mean rank, the best first.

    Attributes
    ----------
    methods : tuple of str
    means : tuple of float
        The mean rank of each; 1 is the best, and equal errors share the mean of their ranks.
    n_tables : int
    friedman : float
        The probability of ranks that differ as much if all methods were equally good.
    critical_difference : float
        Mean ranks that differ by more do so beyond chance at the level 0.05 (Nemenyi's test).
    wilcoxon : ndarray, shape (K, K)
        For each two methods, the probability of such differences of errors between methods that
        are equally good (Wilcoxon's signed-rank test, adjusted by Holm for the number of pairs).

    """

    methods: tuple[str, ...]
    means: tuple[float, ...]
    n_tables: int
    friedman: float
    critical_difference: float
    wilcoxon: np.ndarray

    def groups(self) -> list[tuple[int, int]]:
        """Return the largest groups of methods within one critical difference, as first and last.

        Groups of one method are left out, as are those inside others.
        """
        found: list[tuple[int, int]] = []
        for first, mean in enumerate(self.means):
            within = np.subtract(self.means, mean) <= self.critical_difference
            last = int(np.flatnonzero(within)[-1])
            if last > first and (not found or last > found[-1][1]):
                found.append((first, last))
        return found


def ranked(methods: list[str], errors: np.ndarray) -> Ranks:
    """Rank methods on every table.

    Parameters
    ----------
    methods : list of str, length K
        Two or more.
    errors : ndarray, shape (N, K)
        The error of each method on each of N >= 2 tables.

    """
    from scipy import stats

    n, k = errors.shape
    ranks = stats.rankdata(errors, axis=1)
    order = np.argsort(ranks.mean(axis=0), kind="stable")
    errors, ranks = errors[:, order], ranks[:, order]
    # The studentised range with infinite degrees of freedom, as Nemenyi's test uses it.
    quantile = stats.studentized_range.ppf(1.0 - LEVEL, k, np.inf) / np.sqrt(2.0)
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    adjusted = holm([_wilcoxon(errors[:, i], errors[:, j]) for i, j in pairs])
    wilcoxon = np.ones((k, k))
    for (i, j), probability in zip(pairs, adjusted, strict=True):
        wilcoxon[i, j] = wilcoxon[j, i] = probability
    return Ranks(
        methods=tuple(methods[i] for i in order),
        means=tuple(ranks.mean(axis=0).tolist()),
        n_tables=n,
        friedman=_friedman(ranks),
        critical_difference=float(quantile * np.sqrt(k * (k + 1) / (6.0 * n))),
        wilcoxon=wilcoxon,
    )


def holm(probabilities: list[float]) -> list[float]:
    """Adjust probabilities of several tests by Holm's method."""
    order = np.argsort(probabilities, kind="stable")
    scaled = np.array(probabilities)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()


def _wilcoxon(a: np.ndarray, b: np.ndarray) -> float:
    from scipy import stats

    if np.array_equal(a, b):
        return 1.0
    found: Any = stats.wilcoxon(a, b)
    return float(found.pvalue)


def _friedman(ranks: np.ndarray) -> float:
    """Return the probability by Friedman's chi-squared, with scipy's correction for ties."""
    from scipy import stats

    if ranks.shape[1] < 3:
        return 1.0
    return float(stats.friedmanchisquare(*ranks.T).pvalue)
