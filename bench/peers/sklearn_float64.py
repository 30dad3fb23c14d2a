"""scikit-learn as in `sklearn_mlp`, but in float64, as most of its users run it."""

import numpy as np

from bench.peers import sklearn_mlp
from bench.peers.sklearn_mlp import available
from bench.workloads import Workload

__all__ = ["NAME", "PRECISION", "available", "prepare"]

NAME = "sklearn-f64"
PRECISION = "float64"


def prepare(work: Workload) -> sklearn_mlp.SklearnRun:
    """Return `work` ready to train."""
    return sklearn_mlp.SklearnRun(work, dtype=np.float64)
