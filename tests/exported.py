"""Running what was exported: ONNX files, C headers and JavaScript modules."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from fastmlp.export import texts

RUNNERS = ("onnxruntime", "gcc", "clang", "node")
MOSTLY = (*RUNNERS[:2], pytest.param("clang", marks=pytest.mark.slow), "node")
"""The same, clang only in the tests that are marked as slow."""

SUFFIX = {"onnxruntime": ".onnx", "gcc": ".h", "clang": ".h", "node": ".js"}

_MAIN = """\
#include <stdio.h>
#include "{path}"
int main(void)
{{
    {real} x[{n_inputs}];
    {given} y[{n_outputs}];
    while (fread(x, sizeof x, 1, stdin) == 1) {{
        {name}_predict(x, y);
        fwrite(y, sizeof y, 1, stdout);
    }}
    return 0;
}}
"""

_SCRIPT = """\
import {{ readFileSync }} from "node:fs";
import * as model from "{path}";
const rows = JSON.parse(readFileSync(0)).map((row) => row.map((x) => x ?? NaN));
console.log(JSON.stringify({{
    y: rows.map((x) => Array.from(model.predict(x))),
    classes: model.classes ?? null,
    columns: model.columns ?? null,
}}));
"""


def everywhere(cases):
    """Return pairs of a runner and a case, or of a runner and the value of each named case.

    ONNX Runtime runs all of them; gcc and Node.js the first, and the rest, as clang does, in the
    tests that are marked as slow.
    """
    named = cases if isinstance(cases, dict) else {str(case): case for case in cases}
    pairs = []
    for runner in RUNNERS:
        for place, (name, case) in enumerate(named.items()):
            quick = runner == "onnxruntime" or (place == 0 and runner != "clang")
            marks = () if quick else pytest.mark.slow
            pairs.append(pytest.param(runner, case, id=f"{runner}-{name}", marks=marks))
    return pairs


def require(runner):
    """Skip the test, and say why, if this machine cannot run what was exported."""
    if runner == "onnxruntime":
        pytest.importorskip("onnxruntime")
    elif shutil.which(runner) is None:
        pytest.skip(f"{runner} is not installed")


def run(runner, path, X):
    """Return what an exported file gives for rows X."""
    if runner == "onnxruntime":
        return run_onnx(path, X)[-1]
    return run_node(path, X)["y"] if runner == "node" else run_c(runner, path, X)


def run_onnx(path, X):
    """Return all outputs of an ONNX file."""
    session = _session(path)
    taken = session.get_inputs()[0]
    dtype = np.float64 if taken.type == "tensor(double)" else np.float32
    return session.run(None, {taken.name: np.asarray(X, dtype)})


def run_onnx_columns(path, columns):
    """Return all outputs of an ONNX file that takes the columns of a table, in their order."""
    session = _session(path)
    names = [taken.name for taken in session.get_inputs()]
    return session.run(None, dict(zip(names, columns, strict=True)))


def _session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_c(compiler, path, X):
    """Compile a C header without a warning, and return what its function gives."""
    header, name = path.read_text(), texts.identifier(path)
    real = "double" if "_predict(const double *x" in header else "float"
    given = "double" if "double *y)\n{\n" in header else "float"
    n_inputs, n_outputs = (
        int(header.split(f"{name.upper()}_{what} ")[1].split()[0])
        for what in ("N_INPUTS", "N_OUTPUTS")
    )
    assert n_inputs == X.shape[1]
    main, program = path.with_name("main.c"), path.with_name(f"main-{compiler}")
    main.write_text(
        _MAIN.format(
            path=path, name=name, real=real, given=given, n_inputs=n_inputs, n_outputs=n_outputs
        )
    )
    strict = ("-std=c99", "-pedantic", "-O2", "-Wall", "-Wextra", "-Werror")
    subprocess.run([compiler, *strict, main, "-o", program, "-lm"], check=True, timeout=100)
    rows = np.ascontiguousarray(X, np.float64 if real == "double" else np.float32)
    done = subprocess.run([program], input=rows.tobytes(), stdout=-1, check=True, timeout=100)
    dtype = np.float64 if given == "double" else np.float32
    return np.frombuffer(done.stdout, dtype).reshape(len(X), n_outputs)


def run_node(path, X):
    """Return what a JavaScript module gives: rows y and the classes."""
    module = path.with_suffix(".mjs")  # Node.js takes .js as a module only beside a package.json
    module.write_bytes(path.read_bytes())
    rows = [[None if np.isnan(x) else x for x in row] for row in np.asarray(X).tolist()]
    script = path.with_name("main.mjs")
    script.write_text(_SCRIPT.format(path=module))
    done = subprocess.run(
        ["node", script], input=json.dumps(rows), stdout=-1, check=True, text=True
    )
    found = json.loads(done.stdout)
    return found | {"y": np.array(found["y"])}


def error(given, wanted):
    """Return the largest difference relative to the largest output."""
    return np.abs(given - wanted).max() / max(np.abs(wanted).max(), sys.float_info.min)


def trained_like(model, seed=3):
    """Give a model parameters and statistics like those of a trained one, and return it."""
    rng = np.random.default_rng(seed)
    for name, array in (dict(model.params) | model.state).items():
        if name.endswith(("running_var", "gamma", "std")):
            array[...] = rng.uniform(0.5, 2.0, array.shape)
        elif name.endswith("edges"):  # in order; the last number has bins of no width at the end
            array[...] = np.sort(rng.normal(size=array.shape), axis=1)
            array[-1, 1:] = array[-1, 1]
        elif not name.endswith("weight"):
            array[...] = rng.normal(size=array.shape)
    return model
