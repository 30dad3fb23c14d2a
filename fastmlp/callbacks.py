"""What may watch or stop training; it lives in `fastmlp.training`."""

from fastmlp.training.callbacks import Callback, TimeLimit, TrainingInfo
from fastmlp.training.checkpoint import Checkpoint
from fastmlp.training.progress import Progress, duration, epoch_line

__all__ = [
    "Callback",
    "Checkpoint",
    "Progress",
    "TimeLimit",
    "TrainingInfo",
    "duration",
    "epoch_line",
]
