"""R5: an MNIST perceptron whose layers take their inputs again in the backward pass.

Layers have ``forward(X)`` and ``backward(X, grad) -> gradient for X``. Layers with parameters have
``params`` and ``gradient``, dicts of arrays.
"""

import json
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import optimizers
from fastmlp.common.errors import unknown
from fastmlp.common.files import write_whole
from fastmlp.compat import arrays
from fastmlp.compat.steps import CompiledSteps, Parameter, run
from fastmlp.datasets import mnist
from fastmlp.layers import Dropout, Linear, ReLU, Tanh

__all__ = [
    "add_momentum",
    "data_loader_mnist",
    "dropout",
    "linear_layer",
    "main",
    "miniBatchStochasticGradientDescent",
    "predict_label",
    "relu",
    "softmax_cross_entropy",
    "tanh",
]

HIDDEN_UNITS = 1000
DEFAULTS: dict[str, Any] = {
    "random_seed": 2,
    "learning_rate": 0.01,
    "alpha": 0.0,
    "lambda": 0.0,
    "dropout_rate": 0.5,
    "num_epoch": 10,
    "minibatch_size": 5,
    "activation": "relu",
    "step": 10,
    "input_file": None,
    "output_file": None,
}


class linear_layer:
    """The affine layer X W + b.

    Parameters
    ----------
    input_D, output_D : int
        D, H.

    Attributes
    ----------
    params, gradient : dict
        W (D, H) and b (1, H), initially normal with standard deviation 0.1; their gradients.

    """

    def __init__(self, input_D: int, output_D: int):
        self.params: dict[str, Any] = {
            "W": np.random.normal(0.0, 0.1, (input_D, output_D)),
            "b": np.random.normal(0.0, 0.1, (1, output_D)),
        }
        self.gradient: dict[str, Any] = {n: np.zeros_like(p) for n, p in self.params.items()}

    def forward(self, X: Any) -> np.ndarray:
        """Return (N, H) for X (N, D)."""
        return arrays.affine(X, self.params["W"], self.params["b"])

    def backward(self, X: Any, grad: Any) -> np.ndarray:
        """Return the gradient for X and set ``gradient``."""
        dX, self.gradient["W"], db = arrays.affine_backward(grad, X, self.params["W"])
        self.gradient["b"] = db.reshape(np.shape(self.params["b"]))
        return dX


class relu:
    """The activation max(0, X)."""

    def forward(self, X: Any, is_train: bool = True) -> np.ndarray:
        """Return f(X); ``is_train`` makes no difference."""
        return arrays.activation("relu", X)

    def backward(self, X: Any, grad: Any) -> np.ndarray:
        """Return grad where X > 0."""
        return arrays.activation_backward("relu", grad, X)


class tanh:
    """The hyperbolic tangent."""

    def forward(self, X: Any, is_train: bool = True) -> np.ndarray:
        """Return f(X); ``is_train`` makes no difference."""
        return arrays.activation("tanh", X)

    def backward(self, X: Any, grad: Any) -> np.ndarray:
        """Return grad * (1 - tanh(X)^2)."""
        return arrays.activation_backward("tanh", grad, X)


class dropout:
    """Keeps a value if a random number from [0, 1) is at least r, and scales it by 1 / (1 - r).

    Parameters
    ----------
    r : float
        Probability of dropping; 0 <= r < 1.

    """

    def __init__(self, r: float):
        if not 0.0 <= r < 1.0:
            raise ValueError(f"r, the probability of dropping, must be from 0 to below 1, got {r}")
        self.r = r
        self.mask: np.ndarray | None = None

    def forward(self, X: Any, is_train: bool = True) -> np.ndarray:
        """Return X; in training, with elements dropped by numpy's global random generator."""
        self.mask = arrays.draw_mask(np.shape(X), self.r) if is_train else np.ones(np.shape(X))
        return X * self.mask

    def backward(self, X: Any, grad: Any) -> np.ndarray:
        """Return grad with the same elements dropped."""
        if self.mask is None:
            raise ValueError("dropout.backward needs a forward pass first")
        return grad * self.mask


class softmax_cross_entropy:
    """The mean over rows of -log softmax(X)[Y]."""

    def forward(self, X: Any, Y: Any) -> float:
        """Return the loss of scores (N, C) and labels (N, 1)."""
        return arrays.classification_loss("cross_entropy", X, Y)[0]

    def backward(self, X: Any, Y: Any) -> np.ndarray:
        """Return the loss's gradient for the scores."""
        return arrays.classification_loss("cross_entropy", X, Y)[1]


def add_momentum(model: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return zeros for every parameter of a model, keyed by layer name + "_" + parameter name."""
    return {
        f"{name}_{key}": np.zeros(np.shape(value))
        for name, layer in model.items()
        for key, value in getattr(layer, "params", {}).items()
    }


def miniBatchStochasticGradientDescent(
    model: MutableMapping[str, Any],
    momentum: MutableMapping[str, Any] | None,
    _lambda: float,
    _alpha: float,
    _learning_rate: float,
) -> MutableMapping[str, Any]:
    """Update the parameters of every layer by g = gradient + _lambda * w; return the model.

    If _alpha > 0, v <- _alpha * v - lr * g and w <- w + v, with v in ``momentum`` under the names
    that `add_momentum` gives; otherwise w <- w - lr * g.
    """
    numbers: dict[str, Any] = {"lr": _learning_rate, "weight_decay": _lambda}
    for name, layer in model.items():
        for key in getattr(layer, "params", {}):
            gradient = layer.gradient[key]
            if _alpha > 0:
                if momentum is None:
                    raise ValueError("_alpha > 0 needs the dict of add_momentum(model), got None")
                velocity = {key: momentum.get(f"{name}_{key}")}
                arrays.step(
                    "momentum", layer.params, key, gradient, [velocity], beta1=_alpha, **numbers
                )
                momentum[f"{name}_{key}"] = velocity[key]
            else:
                arrays.step("sgd", layer.params, key, gradient, **numbers)
    return model


def predict_label(f: np.ndarray) -> np.ndarray:
    """Return the index of the highest score in each row, shape (N, 1)."""
    return np.argmax(f, axis=1).reshape(-1, 1)


def data_loader_mnist(dataset: Any = None) -> tuple[np.ndarray, ...]:
    """Return ``(Xtrain, Ytrain, Xval, Yval, Xtest, Ytest)``: pixels from 0 to 1, labels (N, 1).

    Parameters
    ----------
    dataset : path, optional
        A JSON file with ``train``, ``valid`` and ``test``, each a list [rows of pixels from 0 to
        1, labels]; or the ``directory`` for `fastmlp.datasets.mnist`. In that case, which is the
        default, the last 10,000 training rows are used for validation.

    """
    if dataset is not None and Path(dataset).suffix == ".json":
        with open(dataset, encoding="utf-8") as stream:
            parts = json.load(stream)
        pairs = [parts[name][:2] for name in ("train", "valid", "test")]
    else:
        data = mnist(dataset)
        X, y = data.X_train / 255.0, data.y_train
        pairs = [(X[:50000], y[:50000]), (X[50000:], y[50000:])]
        pairs.append((data.X_test / 255.0, data.y_test))
    return tuple(
        array
        for X, y in pairs
        for array in (np.asarray(X, float), np.asarray(y).reshape(-1, 1).astype(np.int64))
    )


def main(
    main_params: Mapping[str, Any], optimization_type: str = "minibatch_sgd"
) -> tuple[list[float], list[float], list[float]]:
    """Train input - linear - relu or tanh - dropout - linear - softmax on MNIST.

    Parameters
    ----------
    main_params : dict
        ``input_file`` as for `data_loader_mnist`; ``learning_rate``, multiplied by 0.1 every
        ``step`` epochs; ``alpha`` (momentum), ``lambda`` (weight decay), ``dropout_rate``,
        ``num_epoch``, ``minibatch_size``, ``activation`` ("relu" or "tanh"), ``random_seed``,
        ``output_file`` (JSON with both accuracies; None: nothing is written). Missing ones take
        their value from ``DEFAULTS``.
    optimization_type : {"minibatch_sgd"}

    Returns
    -------
    train_loss, train_acc, val_acc : list of float
        Mean training loss, and accuracies, after each epoch, without dropout.

    """
    if optimization_type != "minibatch_sgd":
        raise unknown("optimization_type", optimization_type, ["minibatch_sgd"])
    params = DEFAULTS | dict(main_params)
    np.random.seed(int(params["random_seed"]))
    X, Y, X_val, Y_val, _, _ = data_loader_mnist(params["input_file"])
    rate, alpha, penalty = (float(params[name]) for name in ("learning_rate", "alpha", "lambda"))
    batch_size = min(int(params["minibatch_size"]), len(X))

    activation = {"relu": relu, "tanh": tanh}.get(params["activation"])
    if activation is None:
        raise unknown("activation", params["activation"], ["relu", "tanh"])
    model: dict[str, Any] = {
        "L1": linear_layer(input_D=X.shape[1], output_D=HIDDEN_UNITS),
        "nonlinear1": activation(),
        "drop1": dropout(r=float(params["dropout_rate"])),
        "L2": linear_layer(input_D=HIDDEN_UNITS, output_D=10),
        "loss": softmax_cross_entropy(),
    }
    momentum = add_momentum(model) if alpha > 0.0 else None
    steps = _compiled_steps(model, momentum, alpha, penalty, X, Y, batch_size)

    def readable(rows: np.ndarray) -> float:
        return _step(model, X[rows], Y[rows], momentum, penalty, alpha, rate)

    train_loss: list[float] = []
    train_acc: list[float] = []
    val_acc: list[float] = []
    for t in range(int(params["num_epoch"])):
        print(f"At epoch {t + 1}")
        if t > 0 and t % int(params["step"]) == 0:
            rate *= 0.1
        order = np.random.permutation(len(X))
        n_batches = len(X) // batch_size
        run(steps, readable, np.split(order[: n_batches * batch_size], n_batches), rate)
        if steps is not None and steps.intact:
            steps.leave()
        loss, accuracy = _evaluate(model, X, Y)
        train_loss.append(loss)
        train_acc.append(accuracy)
        val_acc.append(_evaluate(model, X_val, Y_val)[1])
        print(f"Training loss at epoch {t + 1} is {loss}")
        print(f"Training accuracy at epoch {t + 1} is {accuracy}")
        print(f"Validation accuracy at epoch {t + 1} is {val_acc[-1]}")
    if params["output_file"] is not None:
        content = json.dumps({"train": train_acc, "val": val_acc})
        write_whole(params["output_file"], content.encode())
    print("Finish running!")
    return train_loss, train_acc, val_acc


def _step(
    model: dict[str, Any],
    x: np.ndarray,
    y: np.ndarray,
    momentum: dict[str, Any] | None,
    penalty: float,
    alpha: float,
    rate: float,
) -> float:
    """Train on one minibatch, layer by layer; return its loss."""
    a1 = model["L1"].forward(x)
    h1 = model["nonlinear1"].forward(a1)
    d1 = model["drop1"].forward(h1, is_train=True)
    a2 = model["L2"].forward(d1)
    loss = model["loss"].forward(a2, y)
    grad_a2 = model["loss"].backward(a2, y)
    grad_d1 = model["L2"].backward(d1, grad_a2)
    grad_h1 = model["drop1"].backward(h1, grad_d1)
    grad_a1 = model["nonlinear1"].backward(a1, grad_h1)
    model["L1"].backward(x, grad_a1)
    miniBatchStochasticGradientDescent(model, momentum, penalty, alpha, rate)
    return loss


def _evaluate(model: dict[str, Any], X: np.ndarray, Y: np.ndarray) -> tuple[float, float]:
    """Return the mean loss and the accuracy, without dropout."""
    loss, n_correct = 0.0, 0
    for start in range(0, len(X), 1000):
        x, y = X[start : start + 1000], Y[start : start + 1000]
        hidden = model["nonlinear1"].forward(model["L1"].forward(x))
        scores = model["L2"].forward(hidden)
        loss += model["loss"].forward(scores, y) * len(x)
        n_correct += int(np.sum(predict_label(scores) == y))
    return loss / len(X), n_correct / len(X)


def _compiled_steps(
    model: dict[str, Any],
    momentum: dict[str, Any] | None,
    alpha: float,
    penalty: float,
    X: np.ndarray,
    Y: np.ndarray,
    batch_size: int,
) -> CompiledSteps | None:
    """Return compiled steps, or None with a penalty, since R5's penalty includes the biases."""
    if penalty != 0.0 or not 0.0 <= alpha < 1.0:
        return None
    layers = [
        Linear(X.shape[1], HIDDEN_UNITS, init="zeros"),
        ReLU() if isinstance(model["nonlinear1"], relu) else Tanh(),
        Dropout(model["drop1"].r),
        Linear(HIDDEN_UNITS, 10, init="zeros"),
    ]
    parameters = []
    for place, (layer, key) in {
        "0.weight": ("L1", "W"),
        "0.bias": ("L1", "b"),
        "3.weight": ("L2", "W"),
        "3.bias": ("L2", "b"),
    }.items():
        states = [] if momentum is None else [(momentum, f"{layer}_{key}")]
        parameters.append(Parameter(place, model[layer].params, key, states=states))
    return CompiledSteps(
        layers,
        parameters,
        optimizers.SGD(0.0, alpha),
        X,
        Y.reshape(-1),
        batch_size,
        seed=int(np.random.randint(2**31)),
    )
