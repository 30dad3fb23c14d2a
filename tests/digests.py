"""Digests of trained networks, which show that a change of the engine did not change any bit.

The stored digests (digests.json) are valid for the versions and the processor stored with them.
After a change that is meant to change bits, update them, and say why in the commit:

    python tests/digests.py --write

Without this option, the script prints those of the instruction set in use (``FASTMLP_ISA``).
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import llvmlite
import numba
import numpy as np

import fastmlp
from fastmlp import layers, optimizers
from fastmlp.engine import lowering
from fastmlp.kernels.machine import isa

STORED = Path(__file__).with_name("digests.json")

RULES = {
    "sgd": lambda **k: optimizers.SGD(lr=0.05, **k),
    "momentum": lambda **k: optimizers.SGD(lr=0.02, momentum=0.9, **k),
    "nesterov": lambda **k: optimizers.SGD(lr=0.02, momentum=0.9, nesterov=True, **k),
    "rmsprop": lambda **k: optimizers.RMSprop(lr=0.002, **k),
    "rmsprop_in_root": lambda **k: optimizers.RMSprop(lr=0.002, eps=1e-3, eps_in_root=True, **k),
    "adam": lambda **k: optimizers.Adam(lr=0.003, **k),
    "adamw": lambda **k: optimizers.AdamW(lr=0.003, **k),
    "adagrad": lambda **k: optimizers.Adagrad(lr=0.02, **k),
}


def mlp(*widths, act=layers.ReLU, norm=None, drop=0.0):
    """Return the layers of an MLP, with a norm, an activation and dropout between products."""
    stack = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        stack.append(layers.Linear(n_in, n_out))
        if i + 2 < len(widths):
            stack += [norm(n_out)] if norm else []
            stack += [act()]
            stack += [layers.Dropout(drop)] if drop else []
    return stack


def case(**options):
    return options


# What each network is made of, how it is trained, and on how many rows. ``limits`` belong to the
# optimizer.
CASES = {
    "relu": case(of=lambda: mlp(19, 33, 7), rule="adam"),
    "leaky_relu": case(
        of=lambda: mlp(8, 65, 40, 5, act=layers.LeakyReLU), rule="momentum", threads=2
    ),
    "elu": case(of=lambda: mlp(13, 31, 17, 3, act=layers.ELU), rule="nesterov", loss="hinge"),
    "selu": case(of=lambda: mlp(5, 24, 1, act=layers.SELU, drop=0.2), rule="rmsprop", loss="mse"),
    "gelu": case(of=lambda: mlp(21, 50, 4, act=layers.GELU, drop=0.3), rule="adamw", threads=2),
    "silu": case(of=lambda: mlp(6, 7, 9, 2, act=layers.SiLU), rule="adagrad", loss="huber"),
    "mish": case(of=lambda: mlp(3, 130, 6, act=layers.Mish), rule="sgd", loss="mae"),
    "sigmoid": case(
        of=lambda: mlp(10, 20, 3, act=layers.Sigmoid), rule="rmsprop_in_root", loss="poisson"
    ),
    "tanh": case(
        of=lambda: mlp(9, 48, 3, act=layers.Tanh, drop=0.5),
        rule="adam",
        loss="binary_cross_entropy",
    ),
    "no activation": case(of=lambda: mlp(4, 2), rule="momentum", loss="quantile"),
    "elu, dropped and shared": case(
        of=lambda: mlp(40, 70, 66, 3, act=layers.ELU, drop=0.4),
        rule="adam",
        threads=2,
        rows=150,
        batch=64,
        limits={"clip_norm": 0.5, "weight_decay": 0.01},
    ),
    "batch norm": case(
        of=lambda: mlp(12, 37, 29, 4, norm=layers.BatchNorm), rule="adam", limits={"max_norm": 1.0}
    ),
    "batch norm first": case(
        of=lambda: [
            layers.BatchNorm(11),
            *mlp(11, 80, 4, norm=layers.BatchNorm, act=layers.GELU, drop=0.2),
        ],
        rule="adamw",
        threads=2,
        l2=0.01,
    ),
    "layer norm": case(
        of=lambda: mlp(12, 37, 65, 4, norm=layers.LayerNorm, act=layers.Tanh, drop=0.1),
        rule="nesterov",
        threads=2,
        limits={"clip_norm": 0.3, "max_norm": 0.8},
    ),
    "layer norm first, passes": case(
        of=lambda: [
            layers.LayerNorm(15),
            layers.ReLU(),
            layers.Dropout(0.1),
            layers.Dropout(0.1),
            layers.Sigmoid(),
            layers.Tanh(),
            *mlp(15, 10, 3),
            layers.SiLU(),
        ],
        rule="rmsprop",
        loss="mse",
    ),
    "activation first": case(
        of=lambda: [layers.Tanh(), layers.Dropout(0.2), layers.Linear(7, 3), layers.Mish()],
        rule="adagrad",
        batch=1,
    ),
    "no parameters": case(of=lambda: [layers.Tanh()], rule="sgd", loss="mse", width=6, outputs=6),
    "weighted": case(
        of=lambda: mlp(16, 64, 5), rule="adam", weighted=True, l2=0.05, label_smoothing=0.1
    ),
    "weighted values": case(
        of=lambda: mlp(16, 33, 2, norm=layers.LayerNorm), rule="sgd", weighted=True, loss="huber"
    ),
    "wide": case(of=lambda: mlp(300, 520, 290, 11), rule="adam", rows=300, batch=280, threads=2),
    "wide, few rows": case(
        of=lambda: mlp(270, 300, 10, act=layers.SELU), rule="momentum", batch=33, threads=2, l2=1e-3
    ),
    "deep, one row left": case(
        of=lambda: mlp(6, 140, 9, 30, 4, act=layers.LeakyReLU), rule="adam", rows=65, batch=32
    ),
}

WIDE_ENOUGH = ("relu", "gelu", "batch norm", "layer norm", "wide", "wide, few rows", "weighted")
"""Those that are also trained at lower precision."""


def digest(of, rule, loss="cross_entropy", rows=75, batch=16, threads=1, limits=None, l2=0.0,
           weighted=False, width=None, outputs=None, label_smoothing=0.0, dtype="float32",
           precision="highest"):  # fmt: skip
    """Train one network for two epochs; hash its parameters, state, losses and predictions."""
    model = fastmlp.Sequential(*of(), seed=3, dtype=dtype)
    first = [layer for layer in model.layers if layer.input_width]
    width = width or first[0].input_width
    outputs = outputs or [x for x in model.layers if isinstance(x, layers.Linear)][-1].out_features
    rng = np.random.default_rng(7)
    X = rng.standard_normal((rows, width)).astype("float32")
    y = targets(loss, rows, outputs, rng)
    weights = rng.random(rows) if weighted else None
    optimizer = RULES[rule](**(limits or {}))
    worth, lowering._FLOPS_WORTH_A_THREAD = lowering._FLOPS_WORTH_A_THREAD, 1
    try:
        history = model.fit(
            X, y, loss=loss, optimizer=optimizer, epochs=2, batch_size=batch, n_threads=threads,
            sample_weight=weights, l2=l2, label_smoothing=label_smoothing, seed=11,
            matmul_precision=precision, verbose=False,
        )  # fmt: skip
    finally:
        lowering._FLOPS_WORTH_A_THREAD = worth
    value = model.evaluate(X, y, loss=loss)
    found = [model.theta, *optimizer.state.values(), np.asarray(history.steps, np.float64)]
    found += [array for layer in model.layers for array in layer.state.values()]
    found += [model.predict(X), model.predict(X[:1]), np.array(list(value), np.float64)]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in found)).hexdigest()


def targets(loss, rows, outputs, rng):
    """Return valid targets for a loss."""
    if loss in ("cross_entropy", "hinge"):
        return rng.integers(0, outputs, rows)
    if loss == "binary_cross_entropy":
        return rng.integers(0, 2, (rows, outputs)).astype(float)
    if loss == "poisson":
        return rng.poisson(1.5, (rows, outputs)).astype(float)
    return rng.standard_normal((rows, outputs))


def every_digest(names=None):
    """Return the digests by name, for the instruction set in use."""
    found = {}
    for name in names or CASES:
        case = CASES[name]
        found[name] = digest(**case)
        found[f"{name}, float64"] = digest(**case, dtype="float64")
        if name in WIDE_ENOUGH:
            for precision in ("high", "medium"):
                found[f"{name}, {precision}"] = digest(**case, precision=precision)
    return found


def made_with():
    """Return everything that bits may depend on, other than the code and the instruction set."""
    features = ",".join(sorted(isa.processor_features()))
    return {
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__,
        "processor": f"{platform.system()} {platform.machine()}",
        "features": hashlib.sha256(features.encode()).hexdigest()[:16],
        "libc": " ".join(platform.libc_ver()),
    }


def levels():
    """Return the instruction sets that this processor offers."""
    best = isa.best_level(isa.processor_features())
    return isa.LEVELS[: isa.LEVELS.index(best) + 1]


def digests_at(level):
    """Return the digests for an instruction set, computed in a separate process."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve())],
        check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"FASTMLP_ISA": level},
    )  # fmt: skip
    return json.loads(done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="make digests.json anew")
    if parser.parse_args().write:
        stored = {"made_with": made_with()} | {level: digests_at(level) for level in levels()}
        STORED.write_text(json.dumps(stored, indent=1) + "\n")
    else:
        print(json.dumps(every_digest()))
