"""The checkpoints of a pack: those of each model in a folder of its own."""

from collections.abc import Sequence
from functools import partial

from fastmlp.common.errors import printable
from fastmlp.training import run_file
from fastmlp.training.blocks import Digests
from fastmlp.training.checkpoint import Checkpoint
from fastmlp.training.pack_runs import Run

__all__ = ["keep_checkpoints"]


def keep_checkpoints(checkpoint: Checkpoint, runs: Sequence[Run]) -> None:
    """Give each run a checkpoint of its own, before anything changes.

    Raises
    ------
    OSError
        If the folder cannot be created.
    TypeError
        If a model, an optimizer or a schedule is of a class that a file cannot describe.
    ValueError
        If a folder holds checkpoints that are not to be resumed, or those of another run.

    """
    if checkpoint.files():
        raise ValueError(
            f"the folder {printable(checkpoint.folder)} holds the checkpoints of a single model: "
            "give another folder for those of fit_many"
        )
    checkpoint.folder.mkdir(parents=True, exist_ok=True)
    digests = Digests()
    for run in runs:
        own = checkpoint.of_model(run.number)
        own.settings = run_file.settings_of(
            run.model, run.options, run.monitor, run.weighted(), run.validation, digests
        )
        own.first_intact(partial(run_file.require_same, settings=own.settings))
        run.checkpoint = own
