"""The combined layers of ``cs231n.layer_utils``."""

from fastmlp.compat.cs231n.layer_utils import affine_relu_backward, affine_relu_forward

__all__ = ["affine_relu_backward", "affine_relu_forward"]
