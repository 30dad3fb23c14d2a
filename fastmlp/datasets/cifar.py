"""CIFAR-10 in both official layouts: pickled batches ("python version") and plain records."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fastmlp.common.errors import argument
from fastmlp.datasets.cache import cache_directory, existing_directory
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.download import RemoteFile, download, extract
from fastmlp.datasets.plain_pickle import load_plain

__all__ = ["cifar10"]

IMAGE_SHAPE = (3, 32, 32)
N_PIXELS = 3072
MAX_BATCH_BYTES = 48 << 20
"""An official batch of 10,000 images takes 31 MB; anything larger is something else."""

TRAIN_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST_BATCH = "test_batch"
PYTHON_FOLDER = "cifar-10-batches-py"
BINARY_FOLDER = "cifar-10-batches-bin"

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
ARCHIVE = RemoteFile(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
)


def cifar10(directory: str | os.PathLike[str] | None = None) -> Dataset:
    """Return CIFAR-10: 50,000 training and 10,000 test colour images of 10 classes of objects.

    Parameters
    ----------
    directory : path, optional
        The folder with the official files ``data_batch_1`` to ``data_batch_5`` and ``test_batch``
        (python version), or the same names ending in ``.bin`` (binary version), or the folder
        that contains ``cifar-10-batches-py`` or ``cifar-10-batches-bin``. Default: the folder
        ``cifar10`` of `cache_directory`, to which the python version is downloaded if needed.

    Returns
    -------
    Dataset
        Rows of 3,072 ``uint8`` pixels: the red, green and blue planes, each in row-major order.
        10 classes, shape ``(3, 32, 32)``.

    Raises
    ------
    FileNotFoundError
        If a file is missing and cannot be downloaded.
    ValueError
        If a file is truncated, corrupt or not an official one.

    Notes
    -----
    Pickled batches are read by an interpreter that supports only plain data. A file that asks for
    anything else is refused, and none of its code is run.

    """
    folder = _cached() if directory is None else _find(existing_directory(directory))
    if folder is None:
        raise FileNotFoundError(
            f"'{directory}' holds neither {TRAIN_BATCHES[0]} nor {TRAIN_BATCHES[0]}.bin, nor a "
            f"folder {PYTHON_FOLDER} or {BINARY_FOLDER} with them: pass the folder with the "
            "unpacked official files"
        )
    suffix, read = ("", _read_pickled) if _is_python(folder) else (".bin", _read_binary)
    train = [_read_batch(folder / f"{name}{suffix}", read) for name in TRAIN_BATCHES]
    X_test, y_test = _read_batch(folder / f"{TEST_BATCH}{suffix}", read)
    return Dataset(
        name="cifar10",
        X_train=np.ascontiguousarray(np.concatenate([images for images, _ in train])),
        y_train=np.concatenate([labels for _, labels in train]),
        X_test=np.array(X_test, order="C"),
        y_test=y_test,
        classes=CLASSES,
        shape=IMAGE_SHAPE,
    )


def _cached() -> Path | None:
    root = cache_directory() / "cifar10"
    if _find(root) is None:
        instead = (
            f"put {ARCHIVE.name} or its unpacked folder {PYTHON_FOLDER} there, or give the folder "
            f"that holds the unpacked files as {argument('directory')}"
        )
        download([ARCHIVE], root, "cifar10", instead)
        members = tuple(f"{PYTHON_FOLDER}/{name}" for name in (*TRAIN_BATCHES, TEST_BATCH))
        extract(root / ARCHIVE.name, members, MAX_BATCH_BYTES)
    return _find(root)


def _find(directory: Path) -> Path | None:
    """Return the folder with the first batch: this one, or one of the official names in it."""
    for folder in (directory, directory / PYTHON_FOLDER, directory / BINARY_FOLDER):
        if _is_python(folder) or (folder / f"{TRAIN_BATCHES[0]}.bin").is_file():
            return folder
    return None


def _is_python(folder: Path) -> bool:
    return (folder / TRAIN_BATCHES[0]).is_file()


Batch = tuple[np.ndarray, np.ndarray]


def _read_batch(path: Path, read: Callable[[Path], Batch]) -> Batch:
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is missing: put the official file there")
    size = path.stat().st_size
    if size > MAX_BATCH_BYTES:
        raise ValueError(
            f"'{path}' has {size} bytes, but a batch has 31 million: it is not an official file"
        )
    images, labels = read(path)
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        wrong = labels.max() if labels.max() >= len(CLASSES) else labels.min()
        raise ValueError(f"'{path}' must hold labels from 0 to 9, got {wrong}: get it again")
    return images, labels


def _read_binary(path: Path) -> Batch:
    """Read records, each of one label byte and 3,072 pixel bytes."""
    contents = path.read_bytes()
    if not contents or len(contents) % (1 + N_PIXELS):
        raise ValueError(
            f"'{path}' has {len(contents)} bytes, not a multiple of a record's {1 + N_PIXELS}: "
            "it is truncated or not an official file, get it again"
        )
    records = np.frombuffer(contents, np.uint8).reshape(-1, 1 + N_PIXELS)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _read_pickled(path: Path) -> Batch:
    """Read a pickled dict with ``data`` (N, 3072) and ``labels``, a list of N integers."""
    try:
        record = load_plain(path.read_bytes())
    except ValueError as error:
        raise ValueError(
            f"'{path}' is not an official batch, {error}: nothing in it was run, get it again"
        ) from None
    if not isinstance(record, dict):
        raise ValueError(f"'{path}' is not an official batch, it is not a dict: get it again")
    images, labels = (record.get(name.encode(), record.get(name)) for name in ("data", "labels"))
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != N_PIXELS:
        raise ValueError(
            f"'{path}' is not an official batch, its 'data' is not an array of {N_PIXELS} columns: "
            "get it again"
        )
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise ValueError(
            f"'{path}' is not an official batch, its 'labels' is not a list of whole numbers: "
            "get it again"
        )
    if len(labels) != len(images) or not labels:
        raise ValueError(
            f"'{path}' holds {len(images)} images and {len(labels)} labels: get it again"
        )
    return images, np.array(labels, np.int64)
