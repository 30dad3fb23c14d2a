"""R1: TinyNet, the optimizers and dropout of the package ``lib``."""

import copy
from typing import Any

import numpy as np

from bench.reference_systems import plain_numpy
from bench.reference_systems.outcome import Outcome, numpy_seconds, quiet, timed
from fastmlp.compat.lib.datasets import CIFAR10_data
from fastmlp.compat.lib.fully_conn import DropoutNetTest, FullyConnectedNetwork, TinyNet
from fastmlp.compat.lib.layer_utils import cross_entropy
from fastmlp.compat.lib.optim import SGD, SGDM, Adam, RMSProp
from fastmlp.compat.lib.train import compute_acc, train_net

__all__ = ["outcomes"]


def outcomes(cifar10: str | None) -> list[Outcome]:
    """Reproduce R1's published results."""
    data = CIFAR10_data(cifar10_dir=cifar10)
    pairs = {
        part: (data[part], data[part.replace("data", "labels")])
        for part in ("data_train", "data_val", "data_test")
    }
    results = [optimizers(pairs), dropouts(pairs)]
    results += tiny_net(pairs, "pixels as they are", 1e-3, 0.6)
    deviation = data["data_train"].std()
    for X, _ in pairs.values():
        X /= deviation
    return results + tiny_net(pairs, "pixels over their standard deviation", 3e-4, 0.85)


def tiny_net(data: dict[str, Any], pixels: str, lr: float, lr_decay: float) -> list[Outcome]:
    """Train `TinyNet` with Adam, save its dict, and load it into a new one."""
    np.random.seed(0)
    model = TinyNet()
    params = _by_number(model)
    X, y = data["data_train"]
    with quiet():
        (best, losses, _, val_acc), seconds = timed(
            lambda: train_net(
                data, model, cross_entropy(), Adam(model.net, lr), 200, 10, lr_decay, 1
            )
        )
    numpy = numpy_seconds(
        params,
        X,
        y,
        n_steps=len(losses),
        batch_size=200,
        update=plain_numpy.adam,
        evaluated=[X] * 10,
    )
    saved, other = copy.deepcopy(best), TinyNet()
    assert saved is not None
    with quiet():
        other.net.load(saved)
    loaded = compute_acc(other, *data["data_val"])
    return [
        Outcome(
            "R1",
            f"TinyNet on {pixels}, 10 epochs, best validation accuracy",
            "at least 50 %",
            f"{max(val_acc):.1%}",
            max(val_acc) >= 0.5,
            seconds,
            numpy,
        ),
        Outcome(
            "R1",
            "a saved dict in a new network",
            "the same accuracy",
            f"{loaded:.1%}, was {max(val_acc):.1%}",
            loaded == max(val_acc),
        ),
    ]


def optimizers(data: dict[str, Any]) -> Outcome:
    """Train the same network with four optimizers on 4,000 images."""
    X, y = (array[:4000] for array in data["data_train"])
    small = data | {"data_train": (X, y)}
    rules = {
        "SGD": (lambda net: SGD(net, 1e-4), plain_numpy.sgd),
        "SGDM": (lambda net: SGDM(net, 1e-4, 0.9), plain_numpy.momentum),
        "RMSProp": (lambda net: RMSProp(net, 1e-4), plain_numpy.rmsprop),
        "Adam": (lambda net: Adam(net, 1e-3), plain_numpy.adam),
    }
    reached, seconds, numpy = {}, 0.0, 0.0
    for name, (make, update) in rules.items():
        np.random.seed(0)
        model = FullyConnectedNetwork()
        params = _by_number(model)
        with quiet():
            result, took = timed(
                lambda model=model, make=make: train_net(
                    small, model, cross_entropy(), make(model.net), 100, 5
                )
            )
        reached[name] = result[2][-1]
        seconds += took
        numpy += numpy_seconds(
            params,
            X,
            y,
            n_steps=200,
            batch_size=100,
            update=update,
            evaluated=[X, small["data_val"][0]] * 5,
            measured=200,
        )
    best_adaptive, order = min(reached["RMSProp"], reached["Adam"]), list(reached.values())
    return Outcome(
        "R1",
        "training accuracy after 5 epochs on 4,000 images",
        "SGD < SGDM < RMSProp, Adam",
        ", ".join(f"{name} {value:.1%}" for name, value in reached.items()),
        order[0] < order[1] < best_adaptive,
        seconds,
        numpy,
    )


def dropouts(data: dict[str, Any]) -> Outcome:
    """Train on 500 images with increasing dropout."""
    small = data | {"data_train": tuple(array[:500] for array in data["data_train"])}
    gaps, seconds, numpy = {}, 0.0, 0.0
    for p in (0.0, 0.25, 0.5, 0.75):
        np.random.seed(0)
        model = DropoutNetTest(p)
        params = _by_number(model)
        with quiet():
            result, took = timed(
                lambda model=model: train_net(
                    small, model, cross_entropy(), Adam(model.net, 1e-4), 100, 25
                )
            )
        gaps[p] = result[2][-1] - result[3][-1]
        seconds += took
        numpy += numpy_seconds(  # omits the last ReLU and dropout, on only 10 scores per row
            params,
            *small["data_train"],
            n_steps=125,
            batch_size=100,
            update=plain_numpy.adam,
            evaluated=[small["data_train"][0], small["data_val"][0]] * 25,
        )
    values = list(gaps.values())
    return Outcome(
        "R1",
        "training minus validation accuracy on 500 images, by dropout",
        "smaller with more dropout",
        ", ".join(f"p = {p:g}: {gap:.1%}" for p, gap in gaps.items()),
        values == sorted(values, reverse=True),
        seconds,
        numpy,
    )


def _by_number(model: Any) -> dict[str, np.ndarray]:
    """Return copies of fc1_w, fc1_b, ... as W1, b1, ..."""
    return {
        f"{'W' if name.endswith('_w') else 'b'}{name[2:-2]}": value.copy()
        for name, value in model.net.params.items()
    }
