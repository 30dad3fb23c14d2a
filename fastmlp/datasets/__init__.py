"""Datasets ready for training: bundled, from the official files, or from a CSV file.

Every function returns a `Dataset`. Pixels are not scaled: images stay ``uint8``, and the
network's first layer standardises them.
"""

from fastmlp.datasets.bundled import digits
from fastmlp.datasets.cache import cache_directory
from fastmlp.datasets.cifar import cifar10
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.mnist_like import fashion_mnist, mnist
from fastmlp.datasets.table import csv

__all__ = ["Dataset", "cache_directory", "cifar10", "csv", "digits", "fashion_mnist", "mnist"]
