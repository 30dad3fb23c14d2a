"""Every layer, with all variants of its settings, survives saving, pickling and copying."""

import copy
import pickle
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from networks import ACTIVATION_LAYERS

import fastmlp
from fastmlp.layers import (
    ELU,
    NORMALIZATIONS,
    BatchNorm,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    Normalize,
    ParametricActivation,
    Scale,
)

RNG = np.random.default_rng(5)
X = RNG.standard_normal((9, 5))


def thirds(rng, n_in, n_out):
    """A custom initialiser."""
    return np.full((n_in, n_out), 1 / 3)


LAYERS = ACTIVATION_LAYERS | {
    **{f"{name} norm": partial(kind, 5) for name, kind in NORMALIZATIONS.items()},
    "slope 0": lambda: LeakyReLU(0),
    "slope 1": lambda: LeakyReLU(1),
    "slope float32": lambda: LeakyReLU(np.float32(0.2)),
    "slope tiny": lambda: LeakyReLU(1e-30),
    "alpha int": lambda: ELU(2),
    "alpha float64": lambda: ELU(np.float64(0.3)),
    "alpha fraction": lambda: ELU(Fraction(1, 3)),
    "batchnorm ints": lambda: BatchNorm(np.int64(5), momentum=0, eps=1),
    "batchnorm numpy": lambda: BatchNorm(np.uint8(5), np.float32(0.7), np.float16(0.5)),
    "layernorm numpy": lambda: LayerNorm(np.int32(5), eps=np.float32(1e-3)),
    "dropout 0": lambda: Dropout(0),
    "dropout float32": lambda: Dropout(np.float32(0.25)),
    "dropout seed": lambda: Dropout(0.5, seed=np.int64(7)),
    "flatten": Flatten,
    "scale": lambda: Scale(np.int64(5)),
    "parametric": lambda: ParametricActivation(np.int8(5), np.str_("elu")),
    "embedding": lambda: Embedding(5, np.int64(2), 7, width=1),
    "linear": lambda: Linear(5, 5),
    "linear numpy": lambda: Linear(np.int64(5), np.uint16(5), np.str_("glorot"), np.bool_(True)),
    "linear no bias": lambda: Linear(5, 5, "zeros", bias=0),
    "linear own init": lambda: Linear(5, 5, thirds, seed=3),
    "normalize floats": lambda: Normalize(0.25, 0.75),
    "normalize ints": lambda: Normalize(2, 3),
    "normalize numpy": lambda: Normalize(np.float16(0.5), np.int8(2)),
    "normalize 0-d": lambda: Normalize(np.array(-1.5), np.array(4, dtype="uint8")),
    "normalize 0-d and list": lambda: Normalize(np.array(1.0), [1, 2, 3, 4, 5]),
    "normalize lists": lambda: Normalize([0, 1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4, 0.5]),
    "normalize list and number": lambda: Normalize([0.1, 1, 2, 3, 4], 2),
    "normalize row": lambda: Normalize(np.ones((1, 5)), np.full((1, 5), 0.3)),
    "normalize strided": lambda: Normalize(np.arange(10.0)[::2], np.arange(1, 6)[::-1]),
    "normalize from floats": lambda: Normalize.from_data(X.astype("float32")),
    "normalize from images": lambda: Normalize.from_data(np.uint8([[0, 9, 1, 7, 3], [8] * 5])),
}

MODELS = {
    "alone": lambda make: [make()],
    "first": lambda make: [make(), Linear(5, 2)],
    "in between": lambda make: [Linear(5, 5), make(), Linear(5, 2)],
    "twice": lambda make: [make(), make()],
}


@pytest.fixture(params=["file", "pickle", "copy"])
def through(request, tmp_path):
    """Return a function that saves and loads, pickles and unpickles, or copies a model."""

    def file(model):
        model.save(tmp_path / "model")
        return fastmlp.load(tmp_path / "model")

    return {
        "file": file,
        "pickle": lambda model: pickle.loads(pickle.dumps(model)),
        "copy": copy.deepcopy,
    }[request.param]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("place", MODELS)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_model_comes_back(layer, place, dtype, through):
    model = fastmlp.Sequential(*MODELS[place](LAYERS[layer]), seed=4, dtype=dtype)
    for array in model.params.values():
        array += RNG.standard_normal(array.shape).astype(dtype) / 7
    for name, array in model.state.items():
        if "running" in name:
            array += RNG.uniform(0, 1, array.shape).astype(dtype)

    back = through(model)

    assert repr(back) == repr(model)
    assert [la.config() for la in back.layers] == [la.config() for la in model.layers]
    assert back.state.keys() == model.state.keys()
    for name, array in (back.params | back.state).items():
        original = (model.params | model.state)[name]
        assert (array.dtype, array.shape) == (original.dtype, original.shape)
        np.testing.assert_array_equal(array, original)
    for rows in (X, X[:1], X.astype("float32"), X.reshape(9, 1, 5)):
        np.testing.assert_array_equal(back.predict(rows), model.predict(rows))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_alone_comes_back(layer, dtype):
    original = LAYERS[layer]()
    y = original.forward(X.astype(dtype), train=True)

    for back in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        assert repr(back) == repr(original)
        np.testing.assert_array_equal(
            back.forward(X.astype(dtype)), original.forward(X.astype(dtype))
        )
        assert back.forward(X.astype(dtype)).dtype == y.dtype


@pytest.mark.parametrize("layer", LAYERS)
def test_a_loaded_model_is_saved_as_the_same_bytes(layer, tmp_path):
    model = fastmlp.Sequential(LAYERS[layer](), Linear(5, 2), seed=4)
    model.save(tmp_path / "first")

    fastmlp.load(tmp_path / "first").save(tmp_path / "second")

    assert (tmp_path / "second").read_bytes() == (tmp_path / "first").read_bytes()


def test_scalars_of_normalize_come_back_for_rows_of_any_width(through):
    model = fastmlp.Sequential(Normalize(np.float32(0.5), 2), ELU(0.5), Dropout(0.1))

    back = through(model)

    for width in (1, 4):
        np.testing.assert_array_equal(back.predict(X[:, :width]), model.predict(X[:, :width]))
