"""The part of the docstrings that both estimators share."""

from inspect import cleandoc
from typing import TypeVar

__all__ = ["documented"]

_Estimator = TypeVar("_Estimator", bound=type)


def documented(estimator: _Estimator) -> _Estimator:
    """Fill in what a class's docstring names in angle brackets, a line each."""
    text = cleandoc(estimator.__doc__ or "")  # there is none with python -OO
    for name, shared in _SHARED.items():
        text = text.replace(f"<{name}>", cleandoc(shared))
    estimator.__doc__ = text
    return estimator


_SHARED = {
    "arguments that scikit-learn has too": """
        hidden_layer_sizes : int or sequence of int, default (100,)
            Units of each hidden layer.
        activation : str, default "relu"
            Of the hidden layers: ``"identity"``, ``"logistic"``, ``"tanh"``, ``"relu"``, and beyond
            scikit-learn's ``"leaky_relu"``, ``"elu"``, ``"selu"``, ``"gelu"``, ``"silu"``,
            ``"mish"``.
        solver : {"lbfgs", "sgd", "adam", "adamw"}, default "adam"
            ``"adamw"`` is Adam with decoupled ``weight_decay``.
        alpha : float, default 1e-4
            L2 penalty: 0.5 * alpha * sum(W * W) / rows of the minibatch (with weighted rows: / the
            sum of their weights, so that here alone their common scale counts).
        batch_size : int, default "auto"
            Rows a step; "auto" is min(200, N). With normalization="batch", one row that is left
            joins the minibatch before it.
        learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
            For the solver sgd: constant; learning_rate_init / (t + 1) ** power_t; or divided by 5
            whenever ``n_iter_no_change`` epochs bring no progress.
        learning_rate_init : float, default 1e-3
        power_t : float, default 0.5
        max_iter : int, default 200
            Epochs, or iterations of lbfgs, at most.
        shuffle : bool, default True
        random_state : int, RandomState or None, default None
            Of starting weights, validation rows, minibatches and dropout; the first three are those
            that scikit-learn draws.
        tol : float, default 1e-4
            Progress that counts, in loss or score; for lbfgs the gradient at which to stop.
        verbose : bool, default False
            Whether to print a line an epoch.
        warm_start : bool, default False
            Whether ``fit`` goes on from where it was. Unlike in scikit-learn, so do the state of
            the optimizer and the random state: n times one epoch is one time n epochs, bit for bit
            (where the best weights are not restored in between).
        momentum : float, default 0.9
        nesterovs_momentum : bool, default True
        early_stopping : bool, default False
            Whether to set ``validation_fraction`` of the rows aside (unless ``fit`` is given some),
            stop when their score no longer rises, and restore the best weights; the last ones stay,
            with a warning, where no score was a finite number. Two classes are set aside in
            proportion, as in scikit-learn; of more, and of rare ones, at least one row each where
            there are two and room. Without effect on lbfgs, as in scikit-learn.
        validation_fraction : float, default 0.1
        beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
            Of Adam; epsilon stands outside the bias-corrected root (Kingma and Ba, 2015,
            algorithm 1), where scikit-learn has it inside of the correction: a difference only
            where gradients are almost 0.
        n_iter_no_change : int or inf, default 10
            Epochs without progress after which to stop.
        max_fun : int, default 15000
            Calls of the loss at most, for lbfgs.
        """,
    "arguments that both have besides": """
        dropout : float, default 0.0
            Probability of dropping a hidden unit; >= 0, < 1.
        normalization : {"batch", "layer"}, optional
            Between the product and the activation of each hidden layer. Where every minibatch is
            one row (batch_size=1, partial_fit with a row at a time), which has no variance,
            "batch" normalises by the running statistics, as predictions do, and follows them.
        weight_decay : float, default 0.01
            Of the solver adamw.
        clip_norm : float, optional
            The gradient of all parameters together is scaled down to this norm.
        scoring : str or callable, optional
            A scorer of scikit-learn's, or ``scorer(estimator, X, y) -> float``, for the validation
            rows; default what ``score`` returns. Weights of the rows are handed to a scorer that
            takes ``sample_weight``. It is tried before training: where it fails on these rows, or
            is NaN, an error or a warning says so.
        restore_best : bool, default "auto"
            Whether to end with the weights of the best epoch, by score or, without validation rows,
            by loss; "auto": where ``early_stopping`` is on.
        callbacks : list of fastmlp.Callback, optional
            Run between epochs; they are handed the ``fastmlp.Sequential``.
        time_limit : float, optional
            Seconds after which no further epoch begins.
        n_threads : int, optional
            Default: what the process may use. The result does not depend on it.
        matmul_precision : {"highest", "high", "medium"}, default "highest"
            Of products in float32, see `fastmlp.Sequential.fit`. Sparse rows too wide to be spread
            out are always multiplied in full precision.
        """,
    "attributes of both": """
        coefs_, intercepts_ : list of numpy.ndarray
            Weights (fan_in, fan_out) and biases (fan_out,) of each layer, float32 where X was, else
            float64; views, so that edits take effect.
        n_iter_, t_ : int
            Epochs of the last ``fit``; rows visited in all.
        loss_, best_loss_ : float
            Penalty included; ``best_loss_`` is None with ``early_stopping``.
        loss_curve_ : list of float
            A value an epoch (an iteration, for lbfgs).
        validation_scores_, validation_loss_curve_ : list of float or None
            A value an epoch, where there are validation rows.
        best_validation_score_ : float or None
        stopped_ : str or None
            Why training ended before ``max_iter``: ``"converged"``, ``"time limit"``,
            ``"interrupted"``, ``"diverged in epoch n"``, or what a callback said.
        n_features_in_, n_layers_, n_outputs_ : int
        feature_names_in_ : numpy.ndarray
            Where X had names.
        """,
}
