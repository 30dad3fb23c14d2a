"""What `fastmlp train` does when it is not told otherwise: one row a dataset."""

from dataclasses import dataclass

__all__ = ["DATASETS", "Defaults", "defaults_for"]


@dataclass(frozen=True)
class Defaults:
    """Network and training parameters; each is also an option of the command line.

    Attributes
    ----------
    hidden : tuple of int
        Units of each hidden layer.
    activation : str
        Name of the hidden layers' activation.
    dropout : float
        Probability of dropping a hidden unit.
    batch_norm : bool
        Normalise each hidden layer before its activation.
    optimizer, schedule : str
        Names of the update rule and of the course of its learning rate.
    lr : float
        Learning rate, the highest one where the schedule moves it.
    weight_decay : float
        Given to the optimizer; decoupled with adamw.
    clip_norm : float or None
        Largest norm of a step's whole gradient; None for any.
    epochs, batch_size : int
        Passes over the training rows, and rows a step.
    val_fraction : float
        Share of the training rows kept for validation.
    early_stopping : int
        Epochs without a better validation loss before training stops; 0 for never.

    """

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    dropout: float = 0.1
    batch_norm: bool = False
    optimizer: str = "adamw"
    lr: float = 2e-3
    schedule: str = "one_cycle"
    weight_decay: float = 1e-2
    clip_norm: float | None = None
    epochs: int = 30
    batch_size: int = 128
    val_fraction: float = 0.1
    early_stopping: int = 0

    def describe(self) -> str:
        """Return one line that says how the training is done."""
        units = ", ".join(map(str, self.hidden)) or "no"
        norm = "batch norm, " if self.batch_norm else ""
        clip = "" if self.clip_norm is None else f"gradient norm up to {self.clip_norm:g}, "
        return (
            f"hidden layers: {units} units, {norm}{self.activation}, dropout {self.dropout:g}; "
            f"{self.optimizer}, {self.schedule} rate {self.lr:g}, "
            f"weight decay {self.weight_decay:g}, {clip}{self.epochs} epochs, "
            f"batch {self.batch_size}"
        )


DATASETS = {
    "digits": Defaults(
        hidden=(512, 256), dropout=0.4, lr=5e-3, weight_decay=0.1, epochs=40, batch_size=64
    ),
    "mnist": Defaults(hidden=(512, 256), dropout=0.3, lr=3e-3, weight_decay=0.1, epochs=12),
    "fashion_mnist": Defaults(hidden=(512, 256), dropout=0.3, lr=3e-3, weight_decay=0.1, epochs=15),
    "cifar10": Defaults(
        hidden=(768, 384),
        activation="gelu",
        dropout=0.4,
        batch_norm=True,
        lr=3e-3,
        weight_decay=0.1,
        epochs=16,
        batch_size=256,
    ),
}


def defaults_for(dataset: str) -> Defaults:
    """Return the row of a known dataset, or the one for tables of any other origin."""
    return DATASETS.get(dataset, Defaults())
