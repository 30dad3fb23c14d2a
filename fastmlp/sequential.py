"""The model that users build and train."""

from collections.abc import Sequence
from typing import Any

from fastmlp import optimizers, training
from fastmlp.history import History
from fastmlp.model import Model
from fastmlp.optimizers import Optimizer
from fastmlp.stopping import EarlyStopping

__all__ = ["Sequential"]


class Sequential(Model):
    """Layers in a row, trained by `fit`.

    Parameters
    ----------
    *layers : Layer or object
        Ours, or a user's own with ``forward(x, train=False)`` and ``backward(dy)``.
    seed : int, default 0
        Of the starting weights. A layer that holds values already keeps them.
    dtype : {"float32", "float64"}, default "float32"
        Of parameters and arithmetic.

    Raises
    ------
    TypeError, ValueError
        If something is no layer, two neighbours do not fit, or a layer is in another model.

    Examples
    --------
    >>> model = Sequential(Linear(784, 128), ReLU(), Linear(128, 10))
    >>> history = model.fit(X, y, epochs=5)
    >>> labels = model.predict(X_test).argmax(axis=1)

    """

    _named_optimizer: tuple[str, Optimizer] | None = None

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        loss: Any = "cross_entropy",
        optimizer: str | Optimizer = "adam",
        epochs: int = 10,
        batch_size: int = 128,
        validation_data: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        l2: float = 0.0,
        label_smoothing: float = 0.0,
        shuffle: bool = True,
        seed: int = 0,
        n_threads: int | None = None,
        matmul_precision: str = "highest",
        callbacks: Sequence[Any] = (),
        early_stopping: int | EarlyStopping | None = None,
        restore_best: bool = False,
        time_limit: float | None = None,
        verbose: bool | None = None,
    ) -> History:
        """Train on rows X with targets y.

        Every epoch visits each row once, the last, short minibatch included. The same seed gives
        the same bits, for any number of threads. Calling it again with the same model and
        optimizer continues: n times one epoch is one time n epochs, bit for bit.

        Parameters
        ----------
        X : array_like, shape (N, ...)
            Any real dtype, finite; uint8 is read where it is, see `fastmlp.layers.Normalize`.
        y : array_like
            Labels, int (N,), for cross_entropy and hinge; numbers (N, C) or (N,) for the others.
            For binary_cross_entropy from 0 to 1; labels coded 0 and another number mean 0 and 1.
        loss : str or Loss, default "cross_entropy"
            A name in `fastmlp.losses.LOSSES`, one of its classes' objects, or a user's object with
            ``value_and_gradient(outputs, targets, sample_weight)``. The model remembers it, label
            smoothing included: `evaluate` takes it where it is given none.
        optimizer : str or Optimizer, default "adam"
            ``Adam(lr=1e-3)`` and so on. A name (``"sgd"``, ``"rmsprop"``, ``"adam"``, ``"adamw"``,
            ``"adagrad"``) means one with its defaults, kept with the model while the name is
            given, so that training continues. An object serves one call of fit at a time.
        epochs : int, default 10
        batch_size : int, default 128
            Rows a step; all rows where there are fewer. In a model with BatchNorm, a last
            minibatch of one row joins the one before it; with ``batch_size=1``, see
            `fastmlp.layers.BatchNorm`.
        validation_data : tuple, optional
            (X, y) or (X, y, sample_weight), evaluated after every epoch.
        sample_weight : array_like, shape (N,), optional
            >= 0. A step's loss is sum(w * l) / sum(w), so that only their ratios matter.
        class_weight : dict or "balanced", optional
            Label -> weight (1 where not named), times the sample weight; "balanced" is
            N / (number of classes * rows of the class).
        l2 : float, default 0.0
            Adds 0.5 * l2 * sum(W * W) over the weight matrices to the loss.
        label_smoothing : float, default 0.0
            s in [0, 1), for cross_entropy: the target is (1 - s) onehot + s / C.
        shuffle : bool, default True
            Whether each epoch has its own order, keyed by (seed, epoch).
        seed : int, default 0
            Of the order and of Dropout.
        n_threads : int, optional
            Default: what the process may use.
        matmul_precision : {"highest", "high", "medium"}, default "highest"
            float32 products; float32 from two bfloat16 parts; bfloat16 products. The lower ones
            where the processor makes them faster, otherwise as "highest".
        callbacks : sequence of Callback, default ()
            See `fastmlp.callbacks`; run between epochs only.
        early_stopping : int or EarlyStopping, optional
            An int is the patience in epochs.
        restore_best : bool, default False
            Whether to end with the parameters of the best epoch (by the column that
            ``early_stopping`` monitors; the validation loss, or else the loss) instead of the last.
            A value that is not finite is never the best; where all are, a warning says so and the
            last stay.
        time_limit : float, optional
            Seconds after which no further epoch begins.
        verbose : bool, optional
            Whether to show progress: a bar on a terminal, elsewhere a line an epoch. Default: only
            on a terminal.

        Returns
        -------
        History
            A loss that is not finite ends training at once; parameters and optimizer go back to a
            copy made between two epochs (a new one is made after 64 steps or more). Ctrl-C ends
            training cleanly. ``history.stopped`` says so.

        Raises
        ------
        TypeError, ValueError
            In one sentence, for whatever does not fit; the model is then unchanged.

        """
        return training.fit(
            self,
            X,
            y,
            loss=loss,
            optimizer=self._resolve(optimizer),
            epochs=epochs,
            batch_size=batch_size,
            validation_data=validation_data,
            sample_weight=sample_weight,
            class_weight=class_weight,
            l2=l2,
            label_smoothing=label_smoothing,
            shuffle=shuffle,
            seed=seed,
            n_threads=n_threads,
            matmul_precision=matmul_precision,
            callbacks=callbacks,
            early_stopping=early_stopping,
            restore_best=restore_best,
            time_limit=time_limit,
            verbose=verbose,
        )

    def _resolve(self, optimizer: str | Optimizer) -> Optimizer:
        """Return the optimizer; the same one for the same name as last time."""
        if self._named_optimizer is not None and optimizer == self._named_optimizer[0]:
            return self._named_optimizer[1]
        found = optimizers.get(optimizer)
        self._named_optimizer = (optimizer, found) if isinstance(optimizer, str) else None
        return found
