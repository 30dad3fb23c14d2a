"""Small files in the official layouts, and checks that the dataset tests share."""

import contextlib
import gzip
import io
import pickle
import struct
import tracemalloc

import numpy as np

CIFAR_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def idx_bytes(array, type_code=8):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, type_code, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_mnist(folder, *, suffix="", dotted=False):
    """Write 20 training and 5 test images in MNIST's layout; return the arrays by file name."""
    rng = np.random.default_rng(3)
    arrays = {}
    for part, n_rows in (("train", 20), ("t10k", 5)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (n_rows, 28, 28))
        arrays[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, n_rows)
    for name, array in arrays.items():
        contents = gzip.compress(idx_bytes(array)) if suffix else idx_bytes(array)
        spelled = name.replace("-idx", ".idx") if dotted else name
        (folder / f"{spelled}{suffix}").write_bytes(contents)
    return arrays


def cifar_batches(n_rows=4):
    """Return the images and labels of every batch by name."""
    rng = np.random.default_rng(5)
    return {
        name: (rng.integers(0, 256, (n_rows, 3072), np.uint8), rng.integers(0, 10, n_rows))
        for name in CIFAR_BATCHES
    }


def write_cifar_binary(folder, batches):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (images, labels) in batches.items():
        records = np.column_stack([labels.astype(np.uint8), images])
        (folder / f"{name}.bin").write_bytes(records.tobytes())


def write_cifar_python(folder, batches, dump=None):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (images, labels) in batches.items():
        record = {
            b"batch_label": name.encode(),
            b"labels": labels.tolist(),
            b"data": images,
            b"filenames": [b"%d.png" % i for i in range(len(labels))],
        }
        (folder / name).write_bytes((dump or python2_pickle)(record))


def python2_pickle(record):
    """Return a pickle like the official ones: protocol 2, Python 2 strings, numpy.core names."""
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(record)
    return stream.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


class _Python2Pickler(pickle._Pickler):
    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012 - as in the base class

    def save_bytes(self, value):
        short = len(value) < 256
        opcode = pickle.SHORT_BINSTRING if short else pickle.BINSTRING
        self.write(opcode + len(value).to_bytes(1 if short else 4, "little") + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


@contextlib.contextmanager
def peak_memory():
    """Yield a function that returns the peak memory, in bytes, of Python and numpy in the block."""
    peak = 0
    tracemalloc.start()
    try:
        yield lambda: peak
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def assert_one_sentence(caught):
    text = str(caught.value)
    assert "\n" not in text
    assert ". " not in text


def assert_value_or_sentence(read, *arguments):
    """Assert that any input gives a value, or a ValueError of one line."""
    try:
        read(*arguments)
        message = ""
    except ValueError as error:
        message = str(error)
    assert "\n" not in message


def write_table(folder, *lines, name="table.csv"):
    """Write lines as a table and return its path."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def how(data, name):
    """Return how a column of the table was read, without its name."""
    return next(column.description for column in data.columns_read if column.name == name)


def column_of(data, name):
    """Return the values of one feature, training rows first."""
    place = data.features.index(name)
    return np.concatenate([data.X_train[:, place], data.X_test[:, place]])
