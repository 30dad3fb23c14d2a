"""The model that users build and train."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import Any

import numpy as np

from fastmlp import losses, optimizers, training
from fastmlp.common.attributes import refuse_fixing
from fastmlp.common.exclusive import Exclusive
from fastmlp.common.validation import non_negative, positive_int
from fastmlp.engine import inference, layerwise
from fastmlp.layers.checks import warn_of_unlearned
from fastmlp.optimizers import Optimizer
from fastmlp.predicting import Predicting
from fastmlp.schedules import Schedule
from fastmlp.storage import model_file
from fastmlp.training.history import History
from fastmlp.training.options import FitOptions
from fastmlp.training.stopping import EarlyStopping

__all__ = ["Sequential"]


class Sequential(Predicting):
    """A sequence of layers with one flat array of parameters, trained by `fit`.

    Parameters
    ----------
    *layers : Layer or object
        Built-in layers, or your own with ``forward(x, train=False)`` and ``backward(dy)``.
    seed : int, default 0
        Seed of the initial weights. A layer that already has values keeps them.
    dtype : {"float32", "float64"}, default "float32"
        The dtype of parameters and arithmetic.

    Attributes
    ----------
    loss : Loss or None
        The loss of the last call of `fit`; the default in `evaluate` and `loss_and_grads`. Copies,
        pickles and files keep it, unless its class is your own.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a layer, adjacent layers do not fit, or a layer is in another model.

    Examples
    --------
    >>> model = Sequential(Linear(784, 128), ReLU(), Linear(128, 10))
    >>> history = model.fit(X, y, epochs=5)
    >>> labels = model.predict(X_test).argmax(axis=1)

    """

    _named_optimizer: tuple[str, Optimizer] | None = None
    _rebuilt = (*Predicting._rebuilt, "_training")

    def __init__(self, *layers: Any, seed: int = 0, dtype: Any = "float32"):
        self.key: str = os.urandom(8).hex()  # lets an optimizer recognise the model
        self.told_layerwise: bool = False  # whether the user was told it has no plan
        self.loss: losses.Loss | None = None
        super().__init__(layers, seed, dtype)
        warn_of_unlearned(self.stages)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set any attribute except those that other libraries use to freeze weights."""
        refuse_fixing(self, name)
        object.__setattr__(self, name, value)

    def _build(self, layers: tuple[Any, ...]) -> None:
        super()._build(layers)
        self._training = Exclusive(
            "this model is already being trained: wait for that call of fit to return, or train "
            "copy.deepcopy(model)"
        )

    def fit(
        self,
        X: Any = None,
        y: Any = None,
        *,
        batches: Callable[[], Any] | None = None,
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
        drop_last: bool = False,
        fade: Schedule | None = None,
        shuffle_buffer: int | None = None,
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

        Every epoch visits each row once, and a smaller last minibatch too unless ``drop_last``. The
        same seed gives the same bits with any number of threads. Calling fit again with the same
        model and optimizer continues training: n calls of one epoch equal one of n, bit for bit.

        Parameters
        ----------
        X : array_like, shape (N, ...)
            Any real dtype, finite; uint8 is read without a copy, see `fastmlp.layers.Normalize`.
        y : array_like
            Labels, int (N,), for cross_entropy and hinge; numbers (N, C) or (N,) for the others.
            For binary_cross_entropy they lie between 0 and 1; labels coded as 0 and some other
            number are read as 0 and 1.
        batches : callable, optional
            Instead of X and y: ``batches()`` returns a new iterator over blocks (X, y) or
            (X, y, sample_weight), arrays or Arrow data of any size, for data that does not fit into
            memory. It is called once to check and count the rows, and once for each epoch.
        loss : str or Loss, default "cross_entropy"
            A name in `fastmlp.losses.LOSSES`, an instance of one of those classes, or your own
            object with ``value_and_gradient(outputs, targets, sample_weight)``. The model remembers
            it with its label smoothing, as the default in `evaluate`.
        optimizer : str or Optimizer, default "adam"
            An object such as ``Adam(lr=1e-3)``, or a name in `fastmlp.optimizers.OPTIMIZERS`
            (``"sgd"``, ``"momentum"``, ``"adamw"`` ...) for one with default settings. The model
            keeps a named optimizer as long as each call gives the same name, so training continues.
            Only one call of fit can use an object at a time.
        epochs : int, default 10
        batch_size : int, default 128
            Rows per step; all rows if there are fewer. In a model with BatchNorm, a last
            minibatch of one row joins the one before it; with ``batch_size=1``, see
            `fastmlp.layers.BatchNorm`.
        validation_data : tuple, optional
            (X, y) or (X, y, sample_weight), evaluated after every epoch.
        sample_weight : array_like, shape (N,), optional
            >= 0. A step's loss is sum(w * l) / sum(w), so only their ratios matter.
        class_weight : dict or "balanced", optional
            Label -> weight (default 1), multiplied by the sample weight; "balanced" is
            N / (number of classes * rows of the class).
        l2 : float, default 0.0
            Adds 0.5 * l2 * sum(W * W) over the weight matrices to the loss.
        label_smoothing : float, default 0.0
            s in [0, 1), for cross_entropy: the target is (1 - s) onehot + s / C.
        shuffle : bool, default True
            Whether each epoch visits the rows in a new order, keyed by (seed, epoch).
        drop_last : bool, default False
            Whether an epoch leaves out the last minibatch if it is smaller than the others.
        fade : Schedule, optional
            A factor from 0 to 1 for each step, of weight decay and all Dropout: ``FlatCos(1)``.
        shuffle_buffer : int, optional
            Visit the rows in a random order only among so many that are in memory at a time, as
            they are read. Default: all rows of arrays; as many as 256 MB hold for ``batches`` and
            for a larger `numpy.memmap`, whose rows are read in neighbouring stretches.
        seed : int, default 0
            Seed of the row order and of Dropout.
        n_threads : int, optional
            Default: as many as the process may use.
        matmul_precision : {"highest", "high", "medium"}, default "highest"
            "highest" uses float32 products, "high" represents each float32 by two bfloat16 parts,
            "medium" uses bfloat16 products. On a processor that does not make them faster, the
            lower precisions run as "highest".
        callbacks : sequence of Callback, default ()
            See `fastmlp.callbacks`.
        early_stopping : int or EarlyStopping, optional
            An int is the patience in epochs.
        restore_best : bool, default False
            Whether to end with the parameters of the best epoch instead of the last. The best is
            decided by the column that ``early_stopping`` monitors; by default the validation loss,
            or the loss without validation data. A value that is not finite is never the best; if no
            value is finite, the model keeps the last parameters and a warning says so.
        time_limit : float, optional
            No new epoch starts after this many seconds.
        verbose : bool, optional
            Whether to show progress: a bar on a terminal, one line per epoch elsewhere. Default:
            only on a terminal.

        Returns
        -------
        History
            A loss that is not finite ends training at once, and restores parameters and optimizer
            from the last copy; copies are made between epochs, at least 64 steps apart. Ctrl-C ends
            training cleanly. ``history.stopped`` gives the reason.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid; the model is then unchanged.

        """
        options = FitOptions.checked(
            loss=loss,
            label_smoothing=label_smoothing,
            optimizer=self.own_optimizer(optimizer),
            epochs=epochs,
            batch_size=batch_size,
            class_weight=class_weight,
            l2=l2,
            shuffle=shuffle,
            drop_last=drop_last,
            fade=fade,
            seed=seed,
            n_threads=n_threads,
            matmul_precision=matmul_precision,
            callbacks=callbacks,
            early_stopping=early_stopping,
            restore_best=restore_best,
            time_limit=time_limit,
            verbose=verbose,
        )
        rows = training.training_rows(self, options, X, y, sample_weight, batches, shuffle_buffer)
        validation = self.check_validation(options.loss, validation_data)
        return training.fit(self, rows, validation, options)

    def own_optimizer(self, optimizer: str | Optimizer) -> Optimizer:
        """Return the optimizer to train with; the previous one if its name has not changed."""
        if self._named_optimizer is not None and optimizer == self._named_optimizer[0]:
            return self._named_optimizer[1]
        found = optimizers.get(optimizer)
        self._named_optimizer = (optimizer, found) if isinstance(optimizer, str) else None
        return found

    def evaluate(
        self,
        X: Any,
        y: Any,
        *,
        loss: Any = None,
        batch_size: int = 1024,
        sample_weight: Any = None,
    ) -> tuple[float, float | None]:
        """Return the loss and accuracy in inference mode.

        Parameters
        ----------
        X : array_like, shape (N, ...)
        y : array_like
            Labels (N,) or targets (N, C), depending on the loss.
        loss : str or Loss, optional
            Default: the loss of the last call of `fit`, or "cross_entropy" before the first.
        batch_size : int, default 1024
            Rows computed at a time.
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        loss : float
            Without penalties.
        accuracy : float or None
            Fraction of correct answers; None if the loss does not define correct answers.

        """
        loss = self._loss(loss)
        batch_size = positive_int("batch_size", batch_size)
        rows = self.check_data(loss, X, y, sample_weight)
        if self.has_plan:
            return inference.evaluate(self, loss, rows.X, rows.targets, rows.weights)
        return layerwise.evaluate(self, loss, rows.X, rows.targets, rows.weights, batch_size)

    def loss_and_grads(
        self,
        X: Any,
        y: Any,
        *,
        loss: Any = None,
        l2: float = 0.0,
        sample_weight: Any = None,
        train: bool = False,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return the loss of some rows and its gradient with respect to every parameter.

        Parameters
        ----------
        X : array_like, shape (N, ...)
        y : array_like
            Labels (N,) or targets (N, C), depending on the loss.
        loss : str or Loss, optional
            Default: the loss of the last call of `fit`, or "cross_entropy" before the first.
        l2 : float, default 0.0
            Adds 0.5 * l2 * sum(W * W) over the weight matrices to the loss.
        sample_weight : array_like, shape (N,), optional
        train : bool, default False
            Whether to run in training mode: Dropout drops units, and BatchNorm normalises by these
            rows' statistics and updates its running ones.

        Returns
        -------
        loss : float
        grads : dict of numpy.ndarray
            Name -> copy of the gradient. ``model.grad`` holds the same values until the next call;
            ``optimizer.step(model)`` reads them there.

        """
        loss = self._loss(loss)
        l2 = non_negative("l2", l2)
        rows = self.check_data(loss, X, y, sample_weight)
        value, _ = layerwise.loss_and_grads(
            self, loss, rows.X, rows.targets, rows.weights, l2, train
        )
        return value, dict(self._store.views(self.grad.copy()))

    def _loss(self, loss: Any) -> losses.Loss:
        if loss is None:
            loss = "cross_entropy" if self.loss is None else self.loss
        return losses.get(loss)

    def being_trained(self) -> AbstractContextManager[None]:
        """Prevent other threads from training the model at the same time.

        Raises
        ------
        RuntimeError
            If the model is already being trained.

        """
        return self._training.held()

    def save(self, path: str | PathLike[str], *, optimizer: str | Optimizer | None = None) -> None:
        """Write the model atomically to a safetensors file; see `fastmlp.load`.

        Parameters
        ----------
        path : str or path
        optimizer : str or Optimizer, optional
            The optimizer that trained the model, or its name as given to `fit`; stored with its
            state, so that training can continue after ``load(path, with_optimizer=True)``.

        Raises
        ------
        TypeError
            If the model has a custom layer, or the optimizer or its schedule is not a built-in one.
        ValueError
            If the file name has the extension of another format, such as .onnx or .pt, or the
            optimizer has trained another model.
        OSError
            If the file cannot be written; an existing file of that name is left untouched.

        Warns
        -----
        RuntimeWarning
            If weights are NaN or infinite; the file is still written.

        """
        name = optimizer if isinstance(optimizer, str) else None
        model_file.save(self, path, None if optimizer is None else self._used(optimizer), name)

    def name_optimizer(self, name: str, optimizer: Optimizer) -> None:
        """Use this optimizer when `fit` is called with that name."""
        self._named_optimizer = name, optimizer

    def _used(self, optimizer: str | Optimizer) -> Optimizer:
        """Return the optimizer; if it is a name, the one that the last `fit` used."""
        if not isinstance(optimizer, str):
            return optimizers.get(optimizer)
        if self._named_optimizer is None or self._named_optimizer[0] != optimizer:
            raise ValueError(
                f"the last call of fit did not use optimizer={optimizer!r}, so there is none to "
                "save: pass the optimizer object or the name that fit was given"
            )
        return self._named_optimizer[1]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without what is rebuilt and without a custom loss."""
        state = super().__getstate__()
        return state if losses.is_built_in(self.loss) else state | {"loss": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state; older pickles have no loss."""
        super().__setstate__({"loss": None} | state)
