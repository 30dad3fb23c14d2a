"""Training and prediction work with every row of every table of kernels."""

import ast
from pathlib import Path

import numpy as np
import pytest
import reference
from networks import OPTIMIZERS, blobs, targets
from strategies import LOSSES

import fastmlp
from fastmlp import kernels, layers, losses, optimizers
from fastmlp.engine.lowering import fuse
from fastmlp.engine.plan import core_name
from fastmlp.kernels.machine import isa
from fastmlp.kernels.machine.tables import codes_of
from fastmlp.kernels.plan import calls, op

TABLES = [kernels.activations, kernels.losses, kernels.optimizers, kernels.cores]
CORES = {
    "affine": lambda n: layers.Linear(n, n),
    "affine_bf16": lambda n: layers.Linear(n, n),
    "copy": lambda n: layers.Dropout(0.1),
    "scale": layers.Scale,
    "parametric": lambda n: layers.ParametricActivation(n, "mish"),
    "embedding": lambda n: layers.Embedding(n, 1, 5, width=3),
    "periodic": lambda n: layers.PeriodicEmbedding(n, n - 1, n_waves=4, n_made=2),
    "piecewise": lambda n: layers.PiecewiseLinearEmbedding(n, n - 1, n_bins=3, width=2),
    "members": lambda n: layers.Members(n, 2),
    "shared_affine": lambda n: layers.SharedLinear(16, 16, n_members=2),
    "shared_affine_bf16": lambda n: layers.SharedLinear(16, 16, n_members=2),
    "heads": lambda n: layers.MemberHeads(n // 2, 3, n_members=2),
} | {norm(1).lowered(1).name: norm for norm in layers.NORMALIZATIONS.values()}


def names(table):
    return {row.name for row in table}


def trained(*stack, loss="mse", optimizer="adam", precision="highest"):
    """Train for two epochs, predict, and return the predictions of the layers one by one too."""
    model = fastmlp.Sequential(*stack, seed=1)
    n_in = width = stack[0].input_width or 6
    for layer in stack:
        width = layer.output_width(width)
    X, y = blobs(40, n_in, 3)[0], targets(loss, 40, width)
    rule = OPTIMIZERS[optimizer]()
    model.fit(
        X, y, loss=loss, optimizer=rule, epochs=2, batch_size=16, matmul_precision=precision,
        verbose=False,
    )  # fmt: skip
    alone = X
    for layer in model.layers:
        alone = layer.forward(alone, train=False)
    return model.predict(X), alone


@pytest.mark.parametrize("package", TABLES, ids=lambda package: package.__name__.rpartition(".")[2])
def test_codes_are_positions(package):
    assert list(package.CODES.values()) == list(range(len(package.TABLE)))
    assert [package.TABLE[code].name for code in package.CODES.values()] == list(package.CODES)


def test_a_name_may_not_be_there_twice():
    row = kernels.losses.TABLE[0]

    with pytest.raises(ValueError, match="twice"):
        codes_of([row, row])


def test_each_row_has_its_layer_loss_or_optimizer():
    assert names(kernels.activations.TABLE) == layers.ACTIVATIONS.keys()
    assert names(kernels.losses.TABLE) == losses.LOSSES.keys()
    assert {rule().kind for rule in OPTIMIZERS.values()} == names(kernels.optimizers.TABLE)
    assert {type(rule()) for rule in OPTIMIZERS.values()} == {
        type(make()) for make in optimizers.OPTIMIZERS.values()
    }
    built = [build(6) for build in CORES.values()]
    operations = [fuse([layer], layer.input_width or 6)[0][0] for layer in built]
    made = {core_name(o, parts) for o in operations for parts in (0, 1)}
    assert names(kernels.cores.TABLE) == made == CORES.keys()


def test_each_row_has_its_reference():
    z, y = np.array([[0.5, -0.5]]), np.array([[1.0, 0.0]])
    for name in names(kernels.activations.TABLE):
        assert reference.activation(name, z, 1.0).shape == z.shape
    for row in kernels.losses.TABLE:
        t, parameter = np.array([1]) if row.takes_labels else y, LOSSES[row.name]
        value, _ = reference.loss(row.name, z, t, None, parameter)
        assert np.isfinite(value)
    for row in kernels.optimizers.TABLE:
        assert row.name in reference.RULES
        assert len(reference.STATES[row.name]) == row.n_states
    for norm in layers.NORMALIZATIONS.values():
        assert norm.__name__.lower() in reference.NORMALIZATIONS


@pytest.mark.parametrize("name", kernels.activations.CODES)
def test_every_activation_trains_and_predicts(name):
    activation = layers.ACTIVATIONS[name]
    together, alone = trained(layers.Linear(6, 9), activation(), layers.Linear(9, 3))

    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", kernels.losses.CODES)
def test_every_loss_trains(name):
    assert np.isfinite(trained(layers.Linear(6, 3), loss=name)[0]).all()
    assert name in LOSSES


@pytest.mark.parametrize("name", kernels.optimizers.CODES)
def test_every_optimizer_trains(name):
    assert np.isfinite(trained(layers.Linear(6, 3), optimizer=name)[0]).all()


@pytest.mark.parametrize("name", kernels.cores.CODES)
@pytest.mark.parametrize("place", ["first", "between", "last"])
def test_every_core_trains_and_predicts_wherever_it_stands(name, place):
    core = CORES[name](6)
    n_in = core.input_width or 6
    n_out = core.output_width(n_in)
    products = [layers.Linear(6, 6), layers.Tanh(), layers.Linear(6, n_in)]
    stack = {
        "first": [core, layers.Linear(n_out, 6), layers.Tanh(), layers.Linear(6, 6)],
        "between": [*products, core, layers.Tanh(), layers.Linear(n_out, 6)],
        "last": [*products, core],
    }[place]
    precision = "medium" if name.endswith("bf16") else "highest"

    together, alone = trained(*stack, precision=precision)

    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_every_table_is_complete():
    lower = {row.at_lower_precision for row in kernels.cores.TABLE}
    left_out = () if isa.current().bf16_tiles else lower
    needed = calls.everything(left_out)
    table = calls.addresses(needed, np.dtype(np.float32))

    assert np.count_nonzero(table[2 * len(calls.ALL) :]) == sum(
        isinstance(each, tuple) for each in needed
    )
    for family in (calls.ACTIVATE, calls.DIFFERENTIATE, calls.LOSE, calls.UPDATE, calls.FORWARD):
        assert sum(isinstance(each, tuple) and each[0] is family for each in needed) >= 4


def test_no_field_of_a_plan_shares_its_name_with_another():
    module = ast.parse(Path(op.__file__).read_text(encoding="utf-8"))
    stored = [node for node in ast.walk(module) if isinstance(node, ast.Name)]
    found = [node.id for node in stored if isinstance(node.ctx, ast.Store)]

    assert len(found) == len(set(found)) > 100
