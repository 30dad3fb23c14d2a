"""JavaScript: an ES module without dependencies, with the parameters as base64."""

import base64
import json
from typing import Any

import numpy as np

from fastmlp.export.blocks import Network
from fastmlp.export.loops import SHARED, Arrays, Language
from fastmlp.export.texts import body, description, indented, rows_between

__all__ = ["FUNCTIONS", "js_module"]

FUNCTIONS = SHARED | {
    "absolute": "Math.abs({0})",
    "exp": "Math.exp({0})",
    "expm1": "Math.expm1({0})",
    "log1p": "Math.log1p({0})",
    "sqrt": "Math.sqrt({0})",
    "tanh": "Math.tanh({0})",
}
"""Operation -> how JavaScript writes it."""

_READER = """\
function numbers(text, kind) {
    return new kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}"""

_PRODUCT = """\
function product(x, w, nIn, nOut, y) {
    y.fill(0, 0, nOut);
    for (let i = 0, k = 0; i < nIn; i++) {
        const xi = x[i];
        for (let j = 0; j < nOut; j++) y[j] += xi * w[k++];
    }
}"""


def js_module(network: Network) -> bytes:
    """Return the module of a network."""
    arrays = Arrays()
    language = Language(
        name="JavaScript modules",
        functions=FUNCTIONS,
        constant="const ",
        variable="let ",
        index="let ",
        number=_number,
    )
    lines = body(network, (language, language), arrays)
    n_outputs = network.all_blocks[-1].n_out
    about = description(network, "predict(x)").splitlines()
    parts = [
        "\n".join(f"// {line}".rstrip() for line in about),
        f"export const nInputs = {network.n_inputs};\nexport const nOutputs = {n_outputs};",
        *_classes(network),
        _READER,
        *(_array(name, array, double) for name, (array, double) in arrays.named.items()),
        _PRODUCT,
        *(
            f"const {row} = new Float64Array({length});"
            for row, length in rows_between(network).items()
        ),
        "export function predict(x, y = new Float64Array(nOutputs)) {\n"
        "    if (x.length !== nInputs) {\n"
        "        throw new RangeError(`expected a row of ${nInputs} inputs, got ${x.length}`);\n"
        "    }\n"
        f"{indented([*lines, 'return y;'])}\n}}",
    ]
    return "\n\n".join(parts).encode() + b"\n"


def _number(value: Any) -> str:
    return repr(float(value)) if np.isfinite(value) else "-Infinity"


def _array(name: str, array: np.ndarray, double: bool) -> str:
    kind = "Float64Array" if double else "Float32Array"
    little = array.astype("<f8" if double else "<f4")
    return f'const {name} = numbers("{base64.b64encode(little.tobytes()).decode()}", {kind});'


def _classes(network: Network) -> list[str]:
    """Return the line with the class labels of a classifier."""
    classes = None if network.head is None else network.head.classes
    return [] if classes is None else [f"export const classes = {json.dumps(classes.tolist())};"]
