"""MNIST and other datasets with the same four files."""

import os
from pathlib import Path

import numpy as np

from fastmlp.common.errors import argument
from fastmlp.datasets.cache import cache_directory, existing_directory, first_file
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.download import RemoteFile, download
from fastmlp.datasets.idx import read_idx

__all__ = ["fashion_mnist", "mnist"]

IMAGE_SHAPE = (28, 28)
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def mnist(directory: str | os.PathLike[str] | None = None) -> Dataset:
    """Return MNIST: 60,000 training and 10,000 test images of handwritten digits.

    Parameters
    ----------
    directory : path, optional
        The folder with the four official files (``train-images-idx3-ubyte``,
        ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``, ``t10k-labels-idx1-ubyte``), plain
        or gzipped (``.gz``). Names such as ``train-images.idx3-ubyte`` work too. Default: the
        folder ``mnist`` of `cache_directory`, to which missing files are downloaded.

    Returns
    -------
    Dataset
        Rows of 784 ``uint8`` pixels, 10 classes, shape ``(28, 28)``.

    Raises
    ------
    FileNotFoundError
        If a file is missing and cannot be downloaded.
    ValueError
        If a file is truncated, corrupt or not an official one.

    """
    return _load("mnist", directory, MNIST_SHA256, MNIST_MIRRORS, tuple("0123456789"))


def fashion_mnist(directory: str | os.PathLike[str] | None = None) -> Dataset:
    """Return Fashion-MNIST: 60,000 training and 10,000 test images of clothing.

    Parameters
    ----------
    directory : path, optional
        The folder with the four official files, which have the same names as those of `mnist`.
        Default: the folder ``fashion_mnist`` of `cache_directory`, to which missing files are
        downloaded.

    Returns
    -------
    Dataset
        Rows of 784 ``uint8`` pixels, 10 classes, shape ``(28, 28)``.

    Raises
    ------
    FileNotFoundError
        If a file is missing and cannot be downloaded.
    ValueError
        If a file is truncated, corrupt or not an official one.

    """
    return _load("fashion_mnist", directory, FASHION_SHA256, FASHION_MIRRORS, FASHION_CLASSES)


def _load(
    name: str,
    directory: str | os.PathLike[str] | None,
    sha256: tuple[str, ...],
    mirrors: tuple[str, ...],
    classes: tuple[str, ...],
) -> Dataset:
    if directory is None:
        folder = cache_directory() / name
        missing = [
            RemoteFile(f"{file}.gz", digest, tuple(f"{mirror}{file}.gz" for mirror in mirrors))
            for file, digest in zip(FILES, sha256, strict=True)
            if _find(folder, file) is None
        ]
        if missing:
            names = ", ".join(file.name for file in missing)
            instead = (
                f"put {names} there, or give the folder that holds them as {argument('directory')}"
            )
            download(missing, folder, name, instead)
    else:
        folder = existing_directory(directory)
    X_train, y_train = _read_part(folder, *FILES[:2])
    X_test, y_test = _read_part(folder, *FILES[2:])
    return Dataset(name, X_train, y_train, X_test, y_test, classes, IMAGE_SHAPE)


def _find(folder: Path, file: str) -> Path | None:
    """Return the file under any of its usual names, plain if possible, else gzipped; or None."""
    dotted = file.replace("-idx", ".idx")
    return first_file(folder, (file, dotted, f"{file}.gz", f"{dotted}.gz"))


def _required(folder: Path, file: str) -> Path:
    path = _find(folder, file)
    if path is None:
        raise FileNotFoundError(
            f"'{folder}' holds neither {file} nor {file}.gz: put the official file there, or give "
            f"the folder that holds it as {argument('directory')}"
        )
    return path


def _read_part(folder: Path, images_file: str, labels_file: str) -> tuple[np.ndarray, np.ndarray]:
    images_path, labels_path = _required(folder, images_file), _required(folder, labels_file)
    images = read_idx(images_path, IMAGE_SHAPE)
    labels = read_idx(labels_path, ())
    if len(images) != len(labels):
        raise ValueError(
            f"'{images_path}' holds {len(images)} images but '{labels_path}' holds "
            f"{len(labels)} labels: they do not belong together"
        )
    if labels.max() > 9:
        raise ValueError(f"'{labels_path}' must hold labels from 0 to 9, got {labels.max()}")
    return images.reshape(len(images), -1), labels.astype(np.int64)


MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_SHA256 = (
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)
FASHION_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    # This mirror has no https, but the checksum protects the download.
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
FASHION_SHA256 = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
