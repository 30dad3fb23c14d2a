"""What the command line calls the library's arguments, for messages that name one."""

__all__ = ["OPTIONS"]

OPTIONS = {
    "directory": "--data-dir",
    "folder": "--out",
    "matmul_precision": "--precision",
    "n_jobs": "--jobs",
    "n_runs": "--random",
    "n_threads": "--threads",
} | {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "activation",
        "batch_size",
        "clip_norm",
        "dropout",
        "early_stopping",
        "epochs",
        "hidden",
        "l2",
        "lr",
        "optimizer",
        "schedule",
        "seed",
        "target",
        "val_fraction",
        "weight_decay",
    )
}
"""Argument -> option."""
