"""JavaScript: an ES module without dependencies, with the parameters as base64."""

import base64
import json
from typing import Any

import numpy as np

from fastmlp.export.loops import SHARED, Arrays, Language
from fastmlp.export.network import Network
from fastmlp.export.texts import Body, description, indented

__all__ = ["FUNCTIONS", "js_module"]

FUNCTIONS = SHARED | {
    "absolute": "Math.abs({0})",
    "exp": "Math.exp({0})",
    "expm1": "Math.expm1({0})",
    "log1p": "Math.log1p({0})",
    "sqrt": "Math.sqrt({0})",
    "tanh": "Math.tanh({0})",
    "cos": "Math.cos({0})",
    "floor": "Math.floor({0})",
    "isnan": "Number.isNaN({0})",
    "single": "Math.fround({0})",
    "double": "{0}",
}
"""Operation -> how JavaScript writes it."""

_READER = """\
function numbers(text, kind) {
    return new kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}"""

_HELPERS = {
    "product": """\
function product(x, i0, w, k, nIn, nOut, y, j0) {
    const end = j0 + nOut;
    let i = 0;
    y.fill(0, j0, end);
    for (; i + 3 < nIn; i += 4, k += 3 * nOut) {  // four inputs at a time
        const x0 = x[i0 + i], x1 = x[i0 + i + 1], x2 = x[i0 + i + 2], x3 = x[i0 + i + 3];
        for (let j = j0; j < end; j++, k++) {
            const upper = x0 * w[k] + x1 * w[k + nOut];
            y[j] += upper + (x2 * w[k + 2 * nOut] + x3 * w[k + 3 * nOut]);
        }
    }
    for (; i < nIn; i++) {
        for (let j = j0; j < end; j++) y[j] += x[i0 + i] * w[k++];
    }
}""",
    "softmax": """\
function softmax(n, width, y) {
    for (let start = 0; start < n * width; start += width) {
        let top = y[start], sum = 0;
        for (let j = start; j < start + width; j++) top = top < y[j] ? y[j] : top;
        for (let j = start; j < start + width; j++) sum += y[j] = Math.exp(y[j] - top);
        for (let j = start; j < start + width; j++) y[j] /= sum;
    }
}""",
    "interpolated": """\
function interpolated(x, xs, start, ys, n) {
    let low = 0, high = n - 1;
    if (x <= xs[start + low]) return ys[low];
    if (x >= xs[start + high]) return ys[high];
    while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (xs[start + middle] <= x) low = middle; else high = middle;
    }
    const slope = (ys[high] - ys[low]) / (xs[start + high] - xs[start + low]);
    return ys[low] + (x - xs[start + low]) * slope;
}""",
}
"""Name -> a function that the lines may call."""


def js_module(network: Network) -> bytes:
    """Return the module of a network."""
    arrays = Arrays()
    language = Language(
        functions=FUNCTIONS,
        constant="const ",
        variable="let ",
        index="let ",
        place="const ",
        number=_number,
        whole="Math.trunc({0})",
        start=lambda array, place: f"{array}, {place or 0}",
    )
    body = Body(network, (language, language), arrays, "JavaScript modules")
    categories = "columns[{0}].categories"
    about = description(network, body.n_outputs, "predict(x)", categories).splitlines()
    parts = [
        "\n".join(f"// {line}".rstrip() for line in about),
        f"export const nInputs = {network.n_inputs};\nexport const nOutputs = {body.n_outputs};",
        *_classes(network),
        *_columns(network),
        *([_READER] if arrays.named else []),
        *(_array(name, array) for name, array in arrays.named.items()),
        *body.helpers(_HELPERS),
        *(
            f"const {row} = new Float64Array({length});"
            for row, (length, _) in body.buffers.items()
        ),
        "export function predict(x, y = new Float64Array(nOutputs)) {\n"
        "    if (x.length !== nInputs) {\n"
        "        throw new RangeError(`expected a row of ${nInputs} inputs, got ${x.length}`);\n"
        "    }\n"
        f"{indented([*body.lines, 'return y;'])}\n}}",
    ]
    return "\n\n".join(parts).encode() + b"\n"


def _number(value: Any) -> str:
    if np.isfinite(value):
        return repr(float(value))
    return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _array(name: str, array: np.ndarray) -> str:
    kind = {"float64": "Float64Array", "float32": "Float32Array", "int32": "Int32Array"}
    little = array.astype(array.dtype.newbyteorder("<"))
    text = base64.b64encode(little.tobytes()).decode()
    return f'const {name} = numbers("{text}", {kind[array.dtype.name]});'


def _columns(network: Network) -> list[str]:
    """Return the lines about the columns of a table."""
    columns = [
        {"name": column.name}
        | ({"categories": list(column.names), "unknown": column.unknown} if column.names else {})
        for column in network.columns
    ]
    return [f"export const columns = {json.dumps(columns)};"] if columns else []


def _classes(network: Network) -> list[str]:
    """Return the line with the class labels of a classifier."""
    classes = None if network.head is None else network.head.classes
    return [] if classes is None else [f"export const classes = {json.dumps(classes.tolist())};"]
