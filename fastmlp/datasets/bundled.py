"""The dataset that is bundled with the package."""

from pathlib import Path

import numpy as np

from fastmlp.datasets.dataset import Dataset

__all__ = ["digits"]

TEST_EVERY = 5


def digits() -> Dataset:
    """Return 1,797 handwritten digits of 8 x 8 pixels, each from 0 to 16; needs no download.

    Returns
    -------
    Dataset
        1,442 training and 355 test rows of 64 ``uint8`` pixels, 10 classes, shape ``(8, 8)``.
        Every fifth image of each class is a test image; the rows keep the order of the file.

    Notes
    -----
    E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
    Repository, 1998, licence CC BY 4.0; see ``DIGITS.md`` next to the file.

    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"].astype(np.int64)
    test = np.zeros(len(labels), bool)
    for label in range(10):
        test[np.flatnonzero(labels == label)[TEST_EVERY - 1 :: TEST_EVERY]] = True
    return Dataset(
        name="digits",
        X_train=images[~test],
        y_train=labels[~test],
        X_test=images[test],
        y_test=labels[test],
        classes=tuple("0123456789"),
        shape=(8, 8),
    )
