"""PyTorch with ``torch.compile`` for the loss of a batch, forward and backward."""

import shutil

from bench.peers import missing, torch_eager
from bench.workloads import Workload

__all__ = ["NAME", "PRECISION", "available", "prepare"]

NAME = "torch-compile"
PRECISION = "float32"


def available() -> str | None:
    """Return None, or why compiled PyTorch cannot run here."""
    if not any(shutil.which(compiler) for compiler in ("g++", "clang++", "cl")):
        return "torch.compile needs a C++ compiler, and none is on the PATH"
    return missing("torch")


def prepare(work: Workload) -> torch_eager.TorchRun:
    """Return `work` ready to train."""
    return torch_eager.TorchRun(work, compiled=True)
