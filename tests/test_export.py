"""Exported models: every layer in every format, compared with float64."""

import copy
from itertools import pairwise

import numpy as np
import pytest
from exported import MOSTLY, RUNNERS, SUFFIX, error, require, run, trained_like
from networks import ACTIVATION_LAYERS, Identity
from strategies import filled

import fastmlp
from fastmlp import layers

TOLERANCE = 1e-6  # of the largest output

WRITTEN = [
    *(layers.Linear(3, 3), layers.Flatten(), layers.Dropout(0.5), layers.Normalize(0.5, 2.0)),
    *(
        layers.Scale(3),
        layers.ParametricActivation(3, "elu"),
        layers.ParametricActivation(3, "mish"),
    ),
    *(layers.Embedding(3, 1, 5, width=2), layers.Embedding(4, 4, 3, width=5)),
    *(layers.PeriodicEmbedding(3, 2), layers.PeriodicEmbedding(2, 2, n_waves=5, n_made=1)),
    layers.PiecewiseLinearEmbedding(3, 2, n_bins=4, width=2),
    layers.PiecewiseLinearEmbedding(2, 2, n_bins=1, width=3),
    *(layers.Members(3, 2), layers.Members(16, 3)),
    *(layers.SharedLinear(16, 16, n_members=2), layers.SharedLinear(32, 16, n_members=3)),
    *(layers.MemberHeads(3, 2, n_members=1), layers.MemberHeads(5, 2, n_members=3)),
]
"""Layers besides activations and normalisations."""


def network(*stack, dtype="float64", seed=3):
    """Return a model with the parameters and statistics of a trained one: none is 0 or 1."""
    return trained_like(fastmlp.Sequential(*stack, dtype=dtype, seed=seed), seed)


def check(runner, model, X, path):
    """Export a model and compare what the file gives with the model's own outputs."""
    require(runner)
    file = path / f"a-model{SUFFIX[runner]}"

    model.export(file)

    assert error(run(runner, file, X), model.predict(X)) < TOLERANCE


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("kind", ACTIVATION_LAYERS.values())
def test_every_activation_is_written(runner, kind, tmp_path):
    model = network(layers.Linear(3, 20), kind(), layers.Linear(20, 4))

    check(runner, model, filled((30, 3), "normal", 1), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("kind", layers.NORMALIZATIONS.values())
def test_every_normalization_is_written(runner, kind, tmp_path):
    model = network(layers.Linear(6, 9), kind(9, eps=1e-3), layers.Tanh(), layers.Linear(9, 2))

    check(runner, model, filled((30, 6), "normal", 2), tmp_path)


@pytest.mark.parametrize("runner", MOSTLY)
@pytest.mark.parametrize("layer", WRITTEN, ids=repr)
def test_every_other_layer_is_written(runner, layer, tmp_path):
    width = layer.input_width or 3
    between = layer.output_width(width)
    model = network(copy.deepcopy(layer), layers.Linear(between, 2))
    X = filled((30, width), "normal", 10)
    if isinstance(layer, layers.Embedding):  # some of the codes are no rows of the table
        codes = np.random.default_rng(2).integers(-2, 7, (30, layer.n_codes)).astype(float)
        codes[0], codes[1] = np.nan, layer.n_values - 0.25
        X[:, -layer.n_codes :] = codes

    check(runner, model, X, tmp_path)


def test_every_layer_is_written():
    public = [getattr(layers, name) for name in layers.__all__]
    kinds = {kind for kind in public if isinstance(kind, type) and issubclass(kind, layers.Layer)}
    tried = {type(layer) for layer in WRITTEN}
    tried |= {*layers.ACTIVATIONS.values(), *layers.NORMALIZATIONS.values()}

    assert tried == kinds - {layers.Layer, layers.Activation}


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("mean", [np.linspace(-2.0, 3.0, 7), np.float64(0.3)], ids=["7", "one"])
def test_raw_inputs_are_standardised(runner, mean, tmp_path):
    model = fastmlp.Sequential(layers.Normalize(mean, 0.7), layers.Linear(7, 5), dtype="float64")

    check(runner, model, filled((30, 7), "normal", 3), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
def test_inputs_far_from_0_are_taken_in_float64(runner, tmp_path):
    model = fastmlp.Sequential(
        layers.Normalize([1.7e9, -4e7], [3600.0, 0.5]), layers.Linear(2, 5), layers.ReLU()
    )
    X = np.array([[1.7e9 + 1234.5, -4e7 - 0.25], [1.7e9 - 7777.0, -4e7 + 0.75]])

    check(runner, model, X, tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
def test_settings_are_those_of_the_layer(runner, tmp_path):
    model = network(layers.Linear(4, 8), layers.LeakyReLU(0.3), layers.ELU(1.7))
    model.layers[1].negative_slope = 0.45

    check(runner, model, filled((30, 4), "normal", 4), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
def test_layers_that_only_train_or_flatten_leave_no_trace(runner, tmp_path):
    model = network(layers.Flatten(), layers.Dropout(0.5), layers.Linear(4, 8, bias=False))

    check(runner, model, filled((30, 4), "normal", 5), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_normalization_can_come_first_and_last(runner, tmp_path):
    model = network(layers.LayerNorm(5), layers.Linear(5, 6), layers.RMSNorm(6))

    check(runner, model, filled((30, 5), "normal", 6), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_model_without_products_is_written(runner, tmp_path):
    check(runner, network(layers.BatchNorm(5)), filled((30, 5), "normal", 7), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_wide_and_a_deep_model_stay_within_the_tolerance(runner, tmp_path):
    widths = (784, 128, *[32] * 12, 10)
    stack = [
        layer
        for n_in, n_out in pairwise(widths)
        for layer in (layers.Linear(n_in, n_out), layers.SiLU())
    ]

    check(runner, network(*stack), filled((20, 784), "normal", 8), tmp_path)


@pytest.mark.parametrize("suffix", [".onnx", ".h", ".js"])
def test_a_layer_of_your_own_is_refused(suffix, tmp_path):
    model = fastmlp.Sequential(layers.Linear(3, 3), Identity())

    with pytest.raises(TypeError, match=r"layer 1, Identity\(\), cannot be exported: only"):
        model.export(tmp_path / f"model{suffix}")


def test_a_layer_derived_from_a_built_in_one_is_refused(tmp_path):
    class Doubled(layers.ReLU):
        def forward(self, x, train=False):
            return 2 * super().forward(x, train)

    with pytest.raises(TypeError, match=r"layer 1, .*Doubled.*, cannot be exported"):
        fastmlp.Sequential(layers.Linear(3, 3), Doubled()).export(tmp_path / "model.h")


def test_a_model_for_any_number_of_inputs_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none of the layers .* says how many inputs"):
        fastmlp.Sequential(layers.ReLU()).export(tmp_path / "model.js")


@pytest.mark.parametrize(("array", "value"), [("2.bias", np.nan), ("1.running_var", np.inf)])
def test_a_diverged_model_is_refused(array, value, tmp_path):
    model = network(layers.Linear(3, 3), layers.BatchNorm(3), layers.Linear(3, 2))
    (dict(model.params) | model.state)[array][1] = value

    with pytest.raises(ValueError, match=f"NaN or infinity in '{array[2:]}' of layer {array[0]}"):
        model.export(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["model", "model.tflite", "model.c"])
def test_an_unknown_format_is_refused_with_those_that_exist(name, tmp_path):
    with pytest.raises(ValueError, match=rf"{name}: .* that end in \.onnx, \.h, \.js"):
        fastmlp.Sequential(layers.Linear(3, 2)).export(tmp_path / name)


def test_a_file_that_cannot_be_written_keeps_what_it_held(tmp_path):
    old = tmp_path / "model.h"
    old.write_text("precious")
    old.chmod(0o400)

    with pytest.raises(OSError, match=r"model\.h"):
        fastmlp.Sequential(layers.Linear(3, 2)).export(old)

    assert old.read_text() == "precious"
