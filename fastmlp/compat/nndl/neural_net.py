"""`TwoLayerNet` with weights (outputs, inputs)."""

import numpy as np

from fastmlp.compat import twolayer

__all__ = ["TwoLayerNet"]


class TwoLayerNet(twolayer.TwoLayerNet):
    """affine - ReLU - affine - softmax; W1 is (H, D), W2 is (C, H).

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        D, H, C.
    std : float, default 1e-4
        Standard deviation of the initial weights, which ``np.random.randn`` draws in the order
        W1, W2 after ``np.random.seed(0)``, so all nets of the same size are alike; biases are 0.

    """

    rows_are_outputs = True

    def __init__(self, input_size: int, hidden_size: int, output_size: int, std: float = 1e-4):
        np.random.seed(0)
        self._start(input_size, hidden_size, output_size, std)
