"""The datasets that `train` and `sweep` know by name, with defaults tuned for them.

Other options, and all tables, use the defaults in `fastmlp.cli.options`.
"""

from typing import Any

__all__ = ["DATASETS"]

DATASETS: dict[str, dict[str, Any]] = {
    "digits": {
        "hidden": (512, 256),
        "dropout": 0.4,
        "lr": 5e-3,
        "weight_decay": 0.1,
        "epochs": 40,
        "batch_size": 64,
    },
    "mnist": {
        "hidden": (512, 256),
        "dropout": 0.3,
        "lr": 3e-3,
        "weight_decay": 0.1,
        "epochs": 12,
    },
    "fashion_mnist": {
        "hidden": (512, 256),
        "dropout": 0.3,
        "lr": 3e-3,
        "weight_decay": 0.1,
        "epochs": 15,
    },
    "cifar10": {
        "hidden": (768, 384),
        "activation": "gelu",
        "dropout": 0.4,
        "batch_norm": True,
        "lr": 3e-3,
        "weight_decay": 0.1,
        "epochs": 16,
        "batch_size": 256,
    },
}
"""Dataset -> option -> default."""
