"""C headers: one function in C99, with the parameters in constant arrays."""

import string
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastmlp.export.blocks import Network
from fastmlp.export.int8 import error_of, with_int8_weights
from fastmlp.export.loops import SHARED, Arrays, Language
from fastmlp.export.texts import body, description, identifier, indented, rows_between

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
    lines = body(network, (_language("float"), _language("double")), arrays)
    text = "\n".join(lines)
    buffers = [f"float {row}[{length}];" for row, length in rows_between(network).items()]
    taken = "double" if network.takes_double else "float"
    parts = [
        _comment(description(network, f"{prefix}_predict(x, y)", remark)),
        f"#ifndef {prefix.upper()}_H\n#define {prefix.upper()}_H\n\n#include <math.h>",
        f"#define {prefix.upper()}_N_INPUTS {network.n_inputs}\n"
        f"#define {prefix.upper()}_N_OUTPUTS {network.all_blocks[-1].n_out}",
        *_classes(network, prefix),
        *(_array(name, array, double) for name, (array, double) in arrays.named.items()),
    ]
    if f"{prefix}_product(" in text:
        parts.append(_product(prefix, "signed char" if int8 else "float"))
    parts += [
        f"static inline void {prefix}_predict(const {taken} *x, float *y)\n{{\n"
        f"{indented([*buffers, *lines])}\n}}",
        "#endif",
    ]
    return "\n\n".join(parts).encode() + b"\n"


def _language(real: str) -> Language:
    suffix = "f" if real == "float" else ""
    return Language(
        name="C headers",
        functions={name: form.replace("~", suffix) for name, form in FUNCTIONS.items()},
        constant=f"const {real} ",
        variable=f"{real} ",
        index="int ",
        number=_single if real == "float" else _double,
        rounded="(float)({0})",
    )


def _single(value: Any) -> str:
    return f"{_digits(np.float32(value))}f" if np.isfinite(value) else "-INFINITY"


def _double(value: Any) -> str:
    return _digits(np.float64(value))


def _digits(value: Any) -> str:
    """Return the shortest digits that are read as the same number."""
    text = str(value)
    return text if "." in text or "e" in text else f"{text}.0"


def _comment(text: str) -> str:
    lines = text.replace("*/", "* /").splitlines()
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */"])


def _array(name: str, array: np.ndarray, double: bool) -> str:
    if array.dtype == np.int8:
        real, numbers = "signed char", map(str, array.ravel().tolist())
    elif double:
        real, numbers = "double", map(_double, array.ravel())
    else:
        real, numbers = "float", map(_single, array.ravel().astype(np.float32))
    return f"static const {real} {name}[{array.size}] = {{\n{_wrapped(numbers)}\n}};"


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
        kind, values = "char *const", [_text(str(label)) for label in classes]
    elif classes.dtype.kind in "iub":
        kind, values = "long long", [str(int(label)) for label in classes]
    else:
        kind, values = "double", [_double(label) for label in classes]
    yield f"static const {kind} {prefix}_classes[{len(values)}] = {{\n{_wrapped(iter(values))}\n}};"


def _text(label: str) -> str:
    """Return a string of C; bytes that it might read otherwise are written in octal."""
    plain = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in label.encode())
    return f'"{"".join(plain)}"'


def _product(prefix: str, kind: str) -> str:
    """Return the function of a product, which takes four inputs at a time."""
    return f"""\
static inline void {prefix}_product(const float *x, const {kind} *w, int n_in, int n_out, float *y)
{{
    int i = 0;
    for (int j = 0; j < n_out; j++) y[j] = 0.0f;
    for (; i + 3 < n_in; i += 4, w += 4 * n_out) {{
        const float x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
        const {kind} *w1 = w + n_out, *w2 = w1 + n_out, *w3 = w2 + n_out;
        for (int j = 0; j < n_out; j++)
            y[j] += (x0 * w[j] + x1 * w1[j]) + (x2 * w2[j] + x3 * w3[j]);
    }}
    for (; i < n_in; i++, w += n_out)
        for (int j = 0; j < n_out; j++) y[j] += x[i] * w[j];
}}"""
