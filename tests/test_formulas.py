"""The formulas of layers at inference: one for each, right, and recorded as they are computed."""

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from strategies import ACTIVATIONS, matrices

from fastmlp import kernels, layers
from fastmlp.engine.lowering import part_of
from fastmlp.engine.plan import Core, Elementwise
from fastmlp.engine.steps import steps_of
from fastmlp.formulas import activations, functions
from fastmlp.formulas import layers as layer_formulas
from fastmlp.formulas.expressions import INPUT, Expression, named, value_of, written_with

LAYERS = [
    *(kind() for kind in layers.ACTIVATIONS.values()),
    *(kind(3) for kind in layers.NORMALIZATIONS.values()),
    layers.Normalize(0.5, 2.0),
    layers.Linear(3, 2),
    layers.Flatten(),
    layers.Dropout(0.5),
    layers.Scale(3),
    layers.ParametricActivation(3, "elu"),
    layers.Embedding(3, 1, 5, width=2),
    layers.PeriodicEmbedding(3, 2),
    layers.PiecewiseLinearEmbedding(3, 2, n_bins=4, width=2),
    layers.Members(3, 2),
    layers.SharedLinear(16, 16, n_members=2),
    layers.MemberHeads(3, 2, n_members=1),
]


def test_every_activation_has_a_formula():
    assert set(activations.ACTIVATIONS) == {row.name for row in kernels.activations.TABLE}


def test_every_core_has_a_formula_save_copies_and_rounded_products():
    rounded = {row.at_lower_precision for row in kernels.cores.TABLE}

    wanted = {row.name for row in kernels.cores.TABLE} - rounded - {"copy"}

    assert set(layer_formulas.CORES) == wanted


def test_every_layer_is_tried_here():
    public = [getattr(layers, name) for name in layers.__all__]
    kinds = {kind for kind in public if isinstance(kind, type) and issubclass(kind, layers.Layer)}

    assert {type(layer) for layer in LAYERS} == kinds - {layers.Layer, layers.Activation}


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_the_step_of_a_layer_gives_what_the_layer_gives(layer):
    width = layer.input_width or 3
    x = np.random.default_rng(5).standard_normal((4, width))
    if "edges" in layer.state:
        layer.edges = np.array([[-1.0, 0.0, 0.5, 2.0, 2.0], [-0.5, 0.5, 0.5, 0.5, 0.5]])
        layer.weight = np.random.default_rng(6).standard_normal(layer.weight.shape)
    y = layer.forward(x)

    steps = steps_of([layer], width)

    for step in steps:
        x = step(x)
    np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-14)
    works = isinstance(part_of(layer, width), Core | Elementwise) or "Normalize" in repr(layer)
    assert len(steps) == works


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=matrices())
def test_an_activation_is_that_of_the_reference(name, dtype, z):
    formula, alpha = activations.ACTIVATIONS[name], ACTIVATIONS[name]
    arguments = (alpha,) if alpha else ()
    eps = np.finfo(dtype).eps

    with np.errstate(over="ignore", under="ignore"):
        y = formula(z.astype(dtype), *arguments)

    assert y.dtype == dtype
    np.testing.assert_allclose(
        y, reference.activation(name, z, alpha), rtol=16 * eps, atol=16 * eps
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_stays_visible(name):
    formula, alpha = activations.ACTIVATIONS[name], ACTIVATIONS[name]

    assert np.isnan(formula(np.array([np.nan]), *((alpha,) if alpha else ())))


def test_erfc_is_that_of_the_c_library():
    x = np.linspace(-7.0, 27.0, 5001)

    found = functions.erfc(x)

    wanted = np.array([math.erfc(each) for each in x])
    rounding = np.finfo(np.float64).eps * (8 + x**2)  # of x**2, before e to its power
    assert (np.abs(found - wanted) <= rounding * wanted + 1e-300).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_recorded_formula_has_the_bits_of_the_computed_one(name):
    formula, alpha = activations.ACTIVATIONS[name], ACTIVATIONS[name]
    arguments = (alpha,) if alpha else ()
    z = np.linspace(-9.0, 9.0, 101).reshape(1, -1)

    recorded = formula(INPUT, *arguments)

    assert isinstance(recorded, Expression)
    np.testing.assert_array_equal(value_of(recorded, z), formula(z, *arguments))


def test_a_function_that_a_language_lacks_is_written_as_its_formula():
    z = np.linspace(-3.0, 3.0, 11)
    known = {"absolute", "negative", "exp", "less", "where", "add", "divide"}

    written = written_with(known, functions.logistic(INPUT), "files")

    assert written.operation == "divide"
    np.testing.assert_array_equal(value_of(written, z), functions.logistic(z))


def test_an_operation_that_a_language_lacks_is_named():
    with pytest.raises(NotImplementedError, match="songs have no arctan yet"):
        written_with({"add"}, np.arctan(INPUT + 1.0), "songs")


def test_a_function_of_arrays_alone_cannot_be_written_as_a_formula():
    @named
    def sorted_row(x):
        return np.array(sorted(x))

    with pytest.raises(NotImplementedError, match="files have no sorted_row yet"):
        written_with({"add"}, sorted_row(INPUT), "files")


def test_a_formula_that_decides_by_a_value_is_refused():
    with pytest.raises(TypeError, match=r"use functions\.where"):
        max(INPUT, 0.0)


def test_a_formula_that_reduces_with_numpy_is_refused():
    with pytest.raises(TypeError, match=r"add\.reduce"):
        np.add.reduce(INPUT)
