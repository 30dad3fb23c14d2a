"""The method ``export``, which every model has."""

import os
from abc import ABC, abstractmethod

from fastmlp.export.files import write
from fastmlp.export.network import Network

__all__ = ["Exported"]


class Exported(ABC):
    """A model that can be written as a file that predicts without fastmlp."""

    def export(self, path: str | os.PathLike[str], *, int8: bool = False) -> None:
        """Write a file that predicts without fastmlp; the end of its name says the format.

        Whoever runs it passes what `predict` takes: rows of D numbers, or the columns of a table
        one by one. It answers in float32: a classifier with the probability of each class, others
        with what `predict` returns. Dropout and other parts that only training has are left out.
        See docs/how-to/export.md for the inputs and outputs of each format.

        Parameters
        ----------
        path : str or path
            ``.onnx`` for ONNX (needs the extra ``onnx``), ``.h`` for a C99 header with one
            function, ``.js`` for a JavaScript module.
        int8 : bool, default False
            Whether the weights in a C header become whole numbers of 8 bits: the text is about a
            third as large, and compiled, a weight takes 1 byte instead of 4. The header says how
            far its predictions are off.

        Raises
        ------
        TypeError
            If the model has a layer that is not one of fastmlp's own.
        ValueError
            If the end of the name is of no known format, the layers take any number of features,
            or a parameter is NaN or infinite.
        OSError
            If the file cannot be written; an existing one is then unchanged.

        """
        write(self._exported, path, int8=int8)

    @abstractmethod
    def _exported(self) -> Network:
        """Return what is written of the model."""
