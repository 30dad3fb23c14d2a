"""`TwoLayerNet` with weights (inputs, outputs)."""

from fastmlp.compat import twolayer

__all__ = ["TwoLayerNet"]


class TwoLayerNet(twolayer.TwoLayerNet):
    """affine - ReLU - affine - softmax; W1 is (D, H), W2 is (H, C).

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        D, H, C.
    std : float, default 1e-4
        Standard deviation of the initial weights, which ``np.random.randn`` draws in the order
        W1, W2; biases are 0.

    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int, std: float = 1e-4):
        self._start(input_size, hidden_size, output_size, std)
