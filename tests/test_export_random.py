"""Random networks and ensembles, in every format, compared with float64."""

import numpy as np
import pytest
from exported import RUNNERS, SUFFIX, error, require, run, trained_like
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import ACTIVATION_LAYERS, architectures
from strategies import filled

import fastmlp
from fastmlp import layers

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
DTYPES = st.sampled_from(["float32", "float64"])


@st.composite
def table_architectures(draw):
    """Draw (D, C, build), where build() returns new layers of a random network for a table.

    The last columns of the input may be codes from 0 to 6.
    """
    D, C = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    n_codes = draw(st.integers(0, D))
    n_numbers = draw(st.integers(0, D - n_codes))
    recipe, width = [], D

    def add(kind, *arguments):
        nonlocal width
        recipe.append((kind, *arguments))
        width = kind(*arguments).output_width(width)

    if n_numbers and draw(st.booleans()):
        n_waves, n_made = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        add(layers.PeriodicEmbedding, width, n_numbers, n_waves, n_made)
    elif n_numbers:
        n_bins, n_made = draw(st.integers(1, 5)), draw(st.integers(1, 4))
        add(layers.PiecewiseLinearEmbedding, width, n_numbers, n_bins, n_made)
    if n_codes:
        add(layers.Embedding, width, n_codes, draw(st.integers(1, 7)), draw(st.integers(1, 4)))
    if draw(st.booleans()):
        add(layers.Scale, width)
    activation = draw(st.sampled_from(sorted(ACTIVATION_LAYERS)))
    if draw(st.booleans()):
        n_members, H = draw(st.integers(1, 4)), 16 * draw(st.integers(1, 2))
        add(layers.Members, width, n_members)
        add(layers.SharedLinear, width // n_members, H, n_members)
        add(ACTIVATION_LAYERS[activation])
        add(layers.MemberHeads, H, C, n_members)
    else:
        add(layers.Linear, width, 6)
        add(layers.ParametricActivation, 6, activation)
        add(layers.Linear, 6, C)
    return D, n_codes, lambda: [kind(*arguments) for kind, *arguments in recipe]


def check(runner, path, models, exact, X):
    """Export networks as one file and compare with the same networks in float64.

    The outputs agree to 1e-5, or to what changing the inputs by a rounding error changes: a
    normalisation of a single number near 0 makes much of it.
    """
    require(runner)
    file = path / f"random{SUFFIX[runner]}"
    for model, other in zip(models, exact, strict=True):
        for name, array in (dict(other.params) | other.state).items():
            array[...] = (dict(model.params) | model.state)[name]
    file_of, wanted_of = models[0], exact[0]
    if len(models) > 1:
        for model in (*models, *exact):
            model.loss = fastmlp.losses.CrossEntropy()
        weights = np.arange(1, len(models) + 1)
        file_of, wanted_of = (fastmlp.Ensemble(each, weights) for each in (models, exact))

    file_of.export(file)

    wanted = wanted_of.predict(X)
    rounding = np.finfo(np.float32).eps * np.random.default_rng(7).standard_normal(X.shape)
    change = error(wanted_of.predict(X * (1 + rounding)), wanted)
    assert error(run(runner, file, X), wanted) < 1e-5 + 16 * change


def check_rows(runner, path, architecture, dtype):
    D, _, build = architecture
    model = trained_like(fastmlp.Sequential(*build(), dtype=dtype))
    exact = fastmlp.Sequential(*build(), dtype="float64")

    check(runner, path, [model], [exact], filled((40, D), "normal", 9))


def check_table(runner, path, architecture, dtype, n_networks):
    D, n_codes, build = architecture
    models, exact = (
        [fastmlp.Sequential(*build(), dtype=each, seed=seed) for seed in range(n_networks)]
        for each in (dtype, "float64")
    )
    X = filled((40, D), "normal", 9)
    X[:, D - n_codes :] = np.random.default_rng(3).integers(0, 7, (40, n_codes))

    check(runner, path, [*map(trained_like, models, range(n_networks))], exact, X)


@pytest.mark.parametrize("runner", ["gcc", "onnxruntime"])
@settings(max_examples=2, suppress_health_check=CHECKS)
@given(architecture=architectures(), dtype=DTYPES)
def test_random_architectures_agree(runner, tmp_path, architecture, dtype):
    check_rows(runner, tmp_path, architecture, dtype)


@pytest.mark.parametrize("runner", ["node", "onnxruntime"])
@settings(max_examples=2, suppress_health_check=CHECKS)
@given(architecture=table_architectures(), dtype=DTYPES, n_networks=st.integers(1, 3))
def test_random_networks_for_tables_agree(runner, tmp_path, architecture, dtype, n_networks):
    check_table(runner, tmp_path, architecture, dtype, n_networks)


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
@settings(max_examples=150, suppress_health_check=CHECKS)
@given(architecture=architectures(), dtype=DTYPES)
def test_many_random_architectures_agree(runner, tmp_path, architecture, dtype):
    check_rows(runner, tmp_path, architecture, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
@settings(max_examples=150, suppress_health_check=CHECKS)
@given(architecture=table_architectures(), dtype=DTYPES, n_networks=st.integers(1, 3))
def test_many_random_networks_for_tables_agree(runner, tmp_path, architecture, dtype, n_networks):
    check_table(runner, tmp_path, architecture, dtype, n_networks)
