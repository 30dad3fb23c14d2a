"""C headers: one function in C99, with the parameters in constant arrays."""

import string
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastmlp.export.int8 import error_of, with_int8_weights
from fastmlp.export.loops import SHARED, Arrays, Language
from fastmlp.export.network import Network
from fastmlp.export.texts import Body, description, identifier, indented

__all__ = ["FUNCTIONS", "c_header"]

# "~" stands for the f of float32's functions.
FUNCTIONS = SHARED | {
    "absolute": "fabs~({0})",
    "exp": "exp~({0})",
    "expm1": "expm1~({0})",
    "log1p": "log1p~({0})",
    "sqrt": "sqrt~({0})",
    "tanh": "tanh~({0})",
    "erfc": "erfc~({0})",
    "cos": "cos~({0})",
    "floor": "floor~({0})",
    "isnan": "isnan({0})",
    "single": "(float)({0})",
    "double": "(double)({0})",
}
"""Operation -> how C writes it."""

_COLUMNS = 96
_PLAIN = frozenset(f"{string.ascii_letters}{string.digits} -_.")


def c_header(network: Network, name: str, int8: bool) -> bytes:
    """Return the header of a network.

    Parameters
    ----------
    network : Network
    name : str
        The file's name, after which the function is called.
    int8 : bool
        Whether weights are whole numbers of 8 bits.

    """
    prefix, remark = identifier(name), ""
    if int8:
        exact, network = network, with_int8_weights(network)
        remark = (
            f"Weights are whole numbers of 8 bits. On random rows, predictions differ by up to\n"
            f"{error_of(network, exact):.1e} of the largest from those with the original weights."
        )
    arrays = Arrays(f"{prefix}_")
    body = Body(network, (_language("float"), _language("double")), arrays, "C headers")
    buffers = [
        f"{_real(double)} {row}[{length}];" for row, (length, double) in body.buffers.items()
    ]
    helpers = {
        name: text.replace("KIND", "signed char" if int8 else "float").replace("PREFIX", prefix)
        for name, text in _HELPERS.items()
    }
    parts = [
        _comment(_described(network, body.n_outputs, prefix, remark)),
        f"#ifndef {prefix.upper()}_H\n#define {prefix.upper()}_H\n\n#include <math.h>",
        f"#define {prefix.upper()}_N_INPUTS {network.n_inputs}\n"
        f"#define {prefix.upper()}_N_OUTPUTS {body.n_outputs}",
        *_classes(network, prefix),
        *_columns(network, prefix),
        *(_array(name, array) for name, array in arrays.named.items()),
        *body.helpers(helpers, f"{prefix}_"),
        f"static inline void {prefix}_predict(const {_real(network.takes_double)} *x, "
        f"{_real(body.gives_double)} *y)\n{{\n{indented([*buffers, *body.lines])}\n}}",
        "#endif",
    ]
    return "\n\n".join(parts).encode() + b"\n"


def _real(double: bool) -> str:
    return "double" if double else "float"


def _language(real: str) -> Language:
    suffix = "f" if real == "float" else ""
    return Language(
        functions={name: form.replace("~", suffix) for name, form in FUNCTIONS.items()},
        constant=f"const {real} ",
        variable=f"{real} ",
        index="int ",
        place="const int ",
        number=_single if real == "float" else _double,
        whole="(int){0}",
        start=lambda array, place: f"{array} + {place}" if place else array,
    )


def _single(value: Any) -> str:
    return f"{_digits(np.float32(value))}f" if np.isfinite(value) else _not_finite(value)


def _double(value: Any) -> str:
    return _digits(np.float64(value)) if np.isfinite(value) else _not_finite(value)


def _not_finite(value: Any) -> str:
    return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"


def _digits(value: Any) -> str:
    """Return the shortest digits that are read as the same number."""
    text = str(value)
    return text if "." in text or "e" in text else f"{text}.0"


def _described(network: Network, n_outputs: int, prefix: str, remark: str) -> str:
    categories = f"{prefix}_categories{{0}}"
    return description(network, n_outputs, f"{prefix}_predict(x, y)", categories, remark)


def _comment(text: str) -> str:
    lines = text.replace("*/", "* /").replace("/*", "/ *").splitlines()
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


def _array(name: str, array: np.ndarray) -> str:
    kind, write = _KINDS[array.dtype.name]
    numbers = map(write, array.ravel().tolist() if write is str else array.ravel())
    return f"static const {kind} {name}[{array.size}] = {{\n{_wrapped(numbers)}\n}};"


_KINDS: dict[str, tuple[str, Any]] = {
    "float32": ("float", _single),
    "float64": ("double", _double),
    "int8": ("signed char", str),
    "int32": ("int", str),
}


def _wrapped(values: Iterator[str]) -> str:
    """Return values with commas in lines of limited length."""
    lines, line = [], "   "
    for value in values:
        if len(line) + len(value) > _COLUMNS:
            lines.append(line)
            line = "   "
        line += f" {value},"
    return "\n".join([*lines, line.rstrip(",")])


def _classes(network: Network, prefix: str) -> Iterator[str]:
    """Yield the array of class labels of a classifier."""
    classes = None if network.head is None else network.head.classes
    if classes is None:
        return
    if classes.dtype.kind in "OU":
        yield _texts(f"{prefix}_classes", classes.tolist())
        return
    if classes.dtype.kind in "iub":
        kind, values = "long long", [str(int(label)) for label in classes]
    else:
        kind, values = "double", [_double(label) for label in classes]
    yield f"static const {kind} {prefix}_classes[{len(values)}] = {{\n{_wrapped(iter(values))}\n}};"


def _columns(network: Network, prefix: str) -> Iterator[str]:
    """Yield the names of a table's columns, and for a category the text of each code from 1."""
    if not network.columns:
        return
    yield _texts(f"{prefix}_columns", [column.name for column in network.columns])
    for place, column in enumerate(network.columns):
        if column.names:
            yield _texts(f"{prefix}_categories{place}", column.names)


def _texts(name: str, texts: Sequence[Any]) -> str:
    """Return an array of strings."""
    values = _wrapped(_text(str(text)) for text in texts)
    return f"static const char *const {name}[{len(texts)}] = {{\n{values}\n}};"


def _text(label: str) -> str:
    """Return a string of C; bytes that it might read otherwise are written in octal."""
    plain = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in label.encode())
    return f'"{"".join(plain)}"'


_HELPERS = {
    "product": """\
static inline void PREFIX_product(const float *x, const KIND *w, int n_in, int n_out, float *y)
{
    int i = 0;
    for (int j = 0; j < n_out; j++) y[j] = 0.0f;
    for (; i + 3 < n_in; i += 4, w += 4 * n_out) {
        const float x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
        const KIND *w1 = w + n_out, *w2 = w1 + n_out, *w3 = w2 + n_out;
        for (int j = 0; j < n_out; j++)
            y[j] += (x0 * w[j] + x1 * w1[j]) + (x2 * w2[j] + x3 * w3[j]);
    }
    for (; i < n_in; i++, w += n_out)
        for (int j = 0; j < n_out; j++) y[j] += x[i] * w[j];
}""",
    "softmax": """\
static inline void PREFIX_softmax(int n, int width, float *y)
{
    for (; n > 0; n--, y += width) {
        float top = y[0], sum = 0.0f;
        for (int j = 1; j < width; j++) top = top < y[j] ? y[j] : top;
        for (int j = 0; j < width; j++) sum += y[j] = expf(y[j] - top);
        for (int j = 0; j < width; j++) y[j] /= sum;
    }
}""",
    "interpolated": """\
static inline double PREFIX_interpolated(double x, const double *xs, const double *ys, int n)
{
    int low = 0, high = n - 1;
    if (x <= xs[low]) return ys[low];
    if (x >= xs[high]) return ys[high];
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        if (xs[middle] <= x) low = middle; else high = middle;
    }
    return ys[low] + (x - xs[low]) * ((ys[high] - ys[low]) / (xs[high] - xs[low]));
}""",
}
"""Name -> a function that the lines may call; the first takes four inputs at a time."""
