"""The interface between solvers and estimators: arguments, fitted attributes, and hooks."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from fastmlp.common.rows import Rows
from fastmlp.export import Head
from fastmlp.sklearn._network import Network, Objective
from fastmlp.sklearn._progress import Progress

__all__ = ["Estimator"]


class Estimator(ABC):
    """The arguments and fitted attributes of both estimators, and hooks for their differences."""

    hidden_layer_sizes: Any
    activation: str
    solver: str
    alpha: float
    batch_size: Any
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: float
    normalization: str | None
    weight_decay: float
    clip_norm: float | None
    scoring: Any
    restore_best: Any
    callbacks: Any
    time_limit: float | None
    n_threads: int | None
    matmul_precision: str

    n_iter_: int
    t_: int
    loss_: float
    best_loss_: Any
    best_validation_score_: Any
    loss_curve_: list[float]
    validation_scores_: Any
    validation_loss_curve_: Any
    stopped_: str | None
    out_activation_: str
    n_layers_: int
    n_outputs_: int
    _network: Network
    _progress: Progress
    _seed: int
    _held_out_rows: Any

    @abstractmethod
    def _check_targets(self, y: np.ndarray, first: bool, incremental: bool) -> np.ndarray:
        """Check y and return targets (N, C) or labels (N,) as the kernels take them."""

    @abstractmethod
    def _count_outputs(self, targets: np.ndarray) -> int:
        """Return the number of outputs."""

    @abstractmethod
    def _objective(self, rows: Rows) -> Objective:
        """Return the loss; set ``out_activation_``."""

    @abstractmethod
    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        """Return the weight of each row's class."""

    @abstractmethod
    def _scores(self, outputs: np.ndarray, rows: Rows) -> float:
        """Return accuracy or R2."""

    @abstractmethod
    def _scored(self, y: np.ndarray) -> np.ndarray:
        """Return y in the form that a scorer compares with predictions."""

    @abstractmethod
    def _class_numbers(self, targets: np.ndarray) -> np.ndarray | None:
        """Return each row's class number, for a validation split that contains all classes."""

    @abstractmethod
    def _lacks(self, targets: np.ndarray) -> str:
        """Return what the validation rows lack, to complete a sentence on why a scorer failed."""

    @abstractmethod
    def _head(self) -> Head:
        """Return what turns the network's outputs into predictions, for files."""
