"""The published networks.

All take ``(dropout_p=0, dtype=np.float64, seed=None)``; ``dropout_p`` and ``seed`` are for their
`dropout` layer, if they have one.
"""

from typing import Any

import numpy as np

from fastmlp.compat.lib.layer_utils import dropout, fc, relu, sequential

__all__ = [
    "DropoutNet",
    "DropoutNetTest",
    "FullyConnectedNetwork",
    "Module",
    "SmallFullyConnectedNetwork",
    "TestFCReLU",
    "TinyNet",
]


class Module:
    """Base class of the networks.

    Attributes
    ----------
    net : sequential

    """

    __test__ = False  # tells pytest that TestFCReLU is not a test

    def __init__(self, dropout_p: float = 0, dtype: Any = np.float64, seed: int | None = None):
        self.dropout_p, self.dtype, self.seed = dropout_p, dtype, seed
        layers = self._layers()
        if dropout_p > 0 and self._drops:
            layers.append(dropout(dropout_p, seed=seed))
        self.net = sequential(*layers)
        for name, value in self.net.params.items():
            self.net.assign(name, value.astype(dtype))

    _drops = False

    def _layers(self) -> list[Any]:
        """Return the layers; a custom network can set ``net`` instead."""
        raise NotImplementedError

    def forward(self, feat: Any, is_Training: bool = True) -> np.ndarray:
        """Return the outputs; dropout is active only in training."""
        output = feat
        for layer in self.net.layers:
            if isinstance(layer, dropout):
                output = layer.forward(output, is_Training)
            else:
                output = layer.forward(output)
        return output

    def backward(self, dprev: Any) -> np.ndarray:
        """Return dx and set every layer's gradients."""
        for layer in reversed(self.net.layers):
            dprev = layer.backward(dprev)
        return dprev


class TestFCReLU(Module):
    """fc 12-10, relu."""

    def _layers(self) -> list[Any]:
        return [fc(12, 10, name="my_fc"), relu(name="relu")]


class SmallFullyConnectedNetwork(Module):
    """fc 4-30, relu, fc 30-7, relu."""

    def _layers(self) -> list[Any]:
        return _stack(4, 30, 7, last_relu=True)


class DropoutNet(Module):
    """fc 15-20, relu, fc 20-30, relu, fc 30-10, relu, dropout."""

    _drops = True

    def _layers(self) -> list[Any]:
        return _stack(15, 20, 30, 10, scale=5e-2, last_relu=True)


class TinyNet(Module):
    """fc 3072-512, relu, fc 512-10."""

    def _layers(self) -> list[Any]:
        return _stack(3072, 512, 10)


class DropoutNetTest(Module):
    """fc 3072-500, relu, fc 500-500, relu, fc 500-10, relu, dropout."""

    _drops = True

    def _layers(self) -> list[Any]:
        return _stack(3072, 500, 500, 10, scale=1e-2, last_relu=True)


class FullyConnectedNetwork(Module):
    """fc 3072-100, relu, three times fc 100-100, relu, then fc 100-10."""

    def _layers(self) -> list[Any]:
        return _stack(3072, 100, 100, 100, 100, 10, scale=5e-2)


def _stack(*sizes: int, scale: float = 0.02, last_relu: bool = False) -> list[Any]:
    """Return fc1, relu1, fc2, ... between layers of these sizes."""
    layers: list[Any] = []
    for i in range(1, len(sizes)):
        layers.append(fc(sizes[i - 1], sizes[i], scale, name=f"fc{i}"))
        if last_relu or i < len(sizes) - 1:
            layers.append(relu(name=f"relu{i}"))
    return layers
