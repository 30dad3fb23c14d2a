"""Plans: how the update is divided among threads, memory layout, and useful threads."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import architectures
from strategies import dtypes, seeds

import fastmlp
from fastmlp.engine import lowering, threads
from fastmlp.engine.lowering import fuse, useful_threads
from fastmlp.engine.plan import Elementwise, Operation, Training
from fastmlp.engine.writing import write
from fastmlp.kernels import cores
from fastmlp.kernels.plan import op


def plan(architecture, dtype="float32", batch_size=16, n_threads=1, train=True, **options):
    """Return a model and its plan, for training unless told otherwise."""
    D, _, layers_of = architecture
    model = fastmlp.Sequential(*layers_of(), dtype=dtype)
    operations, _ = fuse(model.stages, D)
    training = Training("mse", "sgd", **options) if train else None
    return model, write(operations, model.slots, model.dtype, batch_size, n_threads, training)


@settings(max_examples=60)
@given(architectures(), dtypes, st.integers(1, 4))
def test_the_pieces_of_the_update_cover_each_parameter_once(architecture, dtype, n_threads):
    model, lowered = plan(architecture, dtype, n_threads=n_threads)

    covered = np.zeros(model.theta.size, int)
    for unit in lowered.units:
        start = unit[op.UNIT_START]
        covered[start : start + unit[op.UNIT_SIZE]] += 1

    for slot in model.slots:
        assert (covered[slot.offset : slot.end] == 1).all()
    assert covered.max(initial=0) <= 1


@settings(max_examples=60)
@given(architectures(), st.integers(1, 9))
def test_each_piece_belongs_to_one_thread(architecture, n_threads):
    _, lowered = plan(architecture, n_threads=n_threads)
    shares = lowered.unit_shares

    assert shares.dtype == np.int64
    assert len(shares) == n_threads + 1
    assert (shares[0], shares[-1]) == (0, len(lowered.units))
    assert (np.diff(shares) >= 0).all()


@settings(max_examples=60)
@given(architectures(), st.integers(1, 40), st.integers(0, 2), seeds)
def test_arrays_that_a_step_writes_do_not_overlap(architecture, batch_size, parts, n_targets):
    _, lowered = plan(architecture, batch_size=batch_size, parts=parts, n_targets=n_targets % 4)
    sizes = {}
    for row in lowered.operations:
        rows_of_y = batch_size * row[op.LD_Y]
        sizes |= {row[op.X]: batch_size * row[op.LD_X], row[op.Y]: rows_of_y}
        sizes |= {row[op.SAVED]: rows_of_y, row[op.DZ]: rows_of_y}
    starts = sorted(sizes)

    for start, following in zip(starts, [*starts[1:], lowered.workspace_size], strict=True):
        assert start % 16 == 0
        assert start + sizes[start] <= following


def test_an_unused_field_of_an_operation_is_minus_one():
    _, lowered = plan((5, 5, lambda: [fastmlp.layers.ReLU()]))
    row = lowered.operations[0]

    assert cores.TABLE[row[op.CORE]].name == "copy"
    assert row[[op.WEIGHT, op.BIAS, op.STATISTICS, op.RUNNING, op.X_ROUNDED]].tolist() == [-1] * 5
    assert len(lowered.units) == 0


LAYERS = [
    fastmlp.Linear(4, 3),
    fastmlp.Normalize(0.0, 2.0),
    fastmlp.Dropout(0.3),
    fastmlp.Flatten(),
    *(activation() for activation in fastmlp.layers.ACTIVATIONS.values()),
    *(norm(4) for norm in fastmlp.layers.NORMALIZATIONS.values()),
    fastmlp.Scale(4),
    fastmlp.ParametricActivation(4, "selu"),
    fastmlp.Embedding(4, 2, 9),
    fastmlp.PeriodicEmbedding(4, 3),
    fastmlp.PiecewiseLinearEmbedding(4, 3),
    fastmlp.Members(4, 2),
    fastmlp.SharedLinear(16, 32, 2),
    fastmlp.MemberHeads(2, 3, 2),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_every_built_in_layer_has_a_lowering_and_a_class_derived_from_it_has_none(layer):
    derived = copy.copy(layer)
    derived.__class__ = type("Mine", (type(layer),), {})

    assert fuse([layer], 4) is not None
    assert fuse([derived], 4) is None


def test_every_built_in_layer_is_tried_above():
    public = [getattr(fastmlp.layers, name) for name in fastmlp.layers.__all__]
    classes = {c for c in public if isinstance(c, type)}
    bases = {fastmlp.layers.Layer, fastmlp.layers.Activation}

    assert {type(layer) for layer in LAYERS} == classes - bases


def test_a_class_of_the_users_own_may_say_what_it_is():
    class Leaky(fastmlp.layers.Layer):
        def lowered(self, width):
            return Elementwise("leaky_relu", 0.25)

    model = fastmlp.Sequential(fastmlp.Linear(4, 3), Leaky())
    twin = fastmlp.Sequential(fastmlp.Linear(4, 3), fastmlp.LeakyReLU(0.25))
    X = np.random.default_rng(0).standard_normal((20, 4))

    np.testing.assert_array_equal(model.predict(X), twin.predict(X))


def test_a_forward_pass_of_the_users_own_is_respected():
    class Doubled(fastmlp.ReLU):
        def forward(self, x, train=False):
            return 2 * super().forward(x, train)

    X = np.random.default_rng(0).standard_normal((20, 4))
    model = fastmlp.Sequential(fastmlp.Linear(4, 3), Doubled())
    twin = fastmlp.Sequential(fastmlp.Linear(4, 3), fastmlp.ReLU())

    np.testing.assert_allclose(model.predict(X), 2 * twin.predict(X), rtol=1e-6)


def test_only_what_comes_first_standardises():
    normalize, linear = fastmlp.Normalize(0.0, 2.0), fastmlp.Linear(4, 4)

    assert fuse([fastmlp.Flatten(), normalize, linear], 4)[1] is not None
    assert fuse([linear, normalize], 4) is None
    assert fuse([normalize, normalize, linear], 4) is None


@pytest.fixture
def four_available(monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: 4)


LARGE, SMALL = [Operation("affine", 0, 2000, 2000)], [Operation("affine", 0, 8, 8)]


@pytest.mark.parametrize(("asked", "given"), [(None, 4), (1, 1), (3, 3), (9, 9)])
def test_a_large_step_uses_all_available_threads(four_available, asked, given):
    assert useful_threads(LARGE, 1000, asked) == given


@pytest.mark.parametrize("asked", [None, 1, 8])
def test_a_small_step_uses_one_thread(four_available, asked):
    assert useful_threads(SMALL, 10, asked) == 1


def test_a_medium_step_uses_some_threads(four_available):
    n_rows = 3 * lowering._FLOPS_WORTH_A_THREAD // (6 * 64) + 1

    assert useful_threads(SMALL, n_rows) == 3
    assert useful_threads(SMALL, n_rows, 2) == 2


@pytest.mark.parametrize("layer", [fastmlp.layers.ReLU, fastmlp.layers.BatchNorm])
def test_inference_needs_no_more_memory_for_more_layers(layer):
    def size(n_layers):
        arguments = [] if layer is fastmlp.layers.ReLU else [300]
        layers_of = [layer(*arguments) for _ in range(n_layers)]
        _, lowered = plan((300, 300, lambda: layers_of), batch_size=256, train=False)
        return lowered.workspace_size

    assert size(50) < size(2) + 50 * 4 * 304
