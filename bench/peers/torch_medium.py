"""PyTorch as in `torch_eager`, with ``set_float32_matmul_precision("medium")``."""

from bench.peers import torch_eager
from bench.peers.torch_eager import available
from bench.workloads import Workload

__all__ = ["NAME", "PRECISION", "available", "prepare"]

NAME = "torch-medium"
PRECISION = "bfloat16"


def prepare(work: Workload) -> torch_eager.TorchRun:
    """Return `work` ready to train."""
    return torch_eager.TorchRun(work, matmul_precision="medium")
