"""An altered byte of a model or checkpoint is detected or harmless: no crash, no wrong load.

The long version, 20,000 mutations of each kind of file: ``pytest -m slow tests/test_mutations.py``.
"""

import random
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from runs import X, Y, assert_same, train

import fastmlp
from fastmlp.ensemble import Ensemble
from fastmlp.layers import BatchNorm, Dropout, Linear, ReLU
from fastmlp.storage import checked_file

FILES = Path(__file__).parent / "files"
OLD = FILES / "model-format-1-with-loss.safetensors"


def small_network():
    return fastmlp.Sequential(Linear(12, 4), BatchNorm(4), ReLU(), Dropout(0.1), Linear(4, 3))


def write_model(folder):
    path = folder / "model"
    model = small_network()
    model.fit(X, Y, epochs=1, verbose=False)
    model.save(path)
    return path.read_bytes()


def write_model_with_optimizer(folder):
    path = folder / "model"
    model, optimizer = small_network(), fastmlp.Adam(fastmlp.schedules.Cosine(0.01))
    model.fit(X, Y, epochs=1, optimizer=optimizer, verbose=False)
    model.save(path, optimizer=optimizer)
    return path.read_bytes()


def copy(file, folder):
    """Return a stored file, which takes no time to train."""
    return file.read_bytes()


def write_ensemble(folder):
    path = folder / "ensemble"
    models = [small_network(), small_network()]
    for seed, model in enumerate(models):
        model.fit(X, Y, epochs=1, seed=seed, verbose=False)
    Ensemble(models, [0.25, 0.75]).save(path)
    return path.read_bytes()


def write_checkpoint(folder):
    model = small_network()
    model.fit(X, Y, epochs=2, callbacks=[fastmlp.Checkpoint(folder, keep=1)], verbose=False)
    return next(folder.iterdir()).read_bytes()


def read_model(path):
    model = fastmlp.load(path)
    return [repr(model.layers), repr(model.loss), model.theta, *model.state.values()]


def read_model_with_optimizer(path):
    model, optimizer = fastmlp.load(path, with_optimizer=True)
    state = [repr(optimizer), optimizer.t, optimizer.epoch, *optimizer.state.values()]
    return [repr(model.layers), model.theta, *model.state.values(), *state]


def read_ensemble(path):
    ensemble = fastmlp.load(path)
    return [ensemble.weights, *(model.theta for model in ensemble.models)]


def read_table(path):
    model = fastmlp.load(path)._model
    found = [model.encoder.config(), model.method, model.metric.name, model.told, model.weights]
    found += [] if model.classes is None else [model.classes]
    for recipe in model.recipes:
        found += [repr(recipe.model.layers), repr(recipe.targets), recipe.model.theta]
        found += [*recipe.model.state.values(), *recipe.inputs.arrays().values()]
    return found


def read_checkpoint(path):
    texts, arrays = checked_file.read(path)
    return [sorted(texts.items()), *(arrays[name] for name in sorted(arrays))]


KINDS = {
    "model": (write_model, read_model),
    "model with optimizer": (write_model_with_optimizer, read_model_with_optimizer),
    "ensemble": (write_ensemble, read_ensemble),
    "checkpoint": (write_checkpoint, read_checkpoint),
    **{file.stem: (partial(copy, file), read_table) for file in sorted(FILES.glob("table-*.saf*"))},
}


def mutated(content, rng):
    """Return a file with one byte or, in every fourth one, something more altered."""
    at, content = rng.randrange(len(content)), bytearray(content)
    if rng.random() < 0.3:  # headers are a small part of large files
        at = rng.randrange(min(len(content), 8 + int.from_bytes(content[:8], "little")))
    what = rng.randrange(8)
    if what < 3:
        content[at] ^= 1 << rng.randrange(8)
    elif what < 6:
        content[at] = (content[at] + rng.randrange(1, 256)) % 256
    elif what == 6:
        del content[at : at + rng.choice([1, 1, 8, 100])]
    else:
        content[at:at] = rng.randbytes(rng.choice([1, 1, 8, 100]))
    return bytes(content)


def require_printable(error):
    assert str(error).isprintable(), repr(error)


def check_mutations(kind, n, folder):
    if kind.startswith("table"):
        for needed in ("sklearn", "narwhals", "polars"):
            pytest.importorskip(needed)
    write, read = KINDS[kind]
    (folder / "whole").mkdir()
    content = write(folder / "whole")
    path = folder / "mutated"
    path.write_bytes(content)
    expected, rng, n_refused = read(path), random.Random(kind), 0
    for number in range(n):
        path.write_bytes(mutated(content, rng))
        try:
            found = read(path)
        except ValueError as error:
            n_refused += 1
            require_printable(error)
            continue
        for before, after in zip(expected, found, strict=True):
            np.testing.assert_array_equal(before, after, err_msg=str(number))
    assert n_refused > 0.99 * n


@pytest.mark.parametrize("kind", KINDS)
def test_some_mutations(kind, tmp_path):
    check_mutations(kind, 50 if kind.startswith("table") else 200, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations(kind, tmp_path):
    check_mutations(kind, 20_000, tmp_path)


@pytest.mark.parametrize("n", [300, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:the model in:RuntimeWarning")
def test_an_old_file_without_a_checksum_is_refused_or_read_whole(n, tmp_path):
    """A changed number in it cannot be noticed, but nothing crashes."""
    content, rng, path = OLD.read_bytes(), random.Random(0), tmp_path / "mutated"
    for _ in range(n):
        path.write_bytes(mutated(content, rng))
        try:
            model = fastmlp.load(path)
        except ValueError as error:
            require_printable(error)
        else:
            assert model.theta.size > 0


@pytest.mark.parametrize("n", [4, pytest.param(200, marks=pytest.mark.slow)])
def test_a_run_resumes_from_the_file_before_a_mutated_one(n, tmp_path):
    whole = train(tmp_path / "whole", epochs=3, keep=None)
    older, newer = sorted((tmp_path / "whole").iterdir())[-2:]
    rng = random.Random(0)
    for number in range(n):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / older.name).write_bytes(older.read_bytes())
        (folder / newer.name).write_bytes(mutated(newer.read_bytes(), rng))

        assert_same(train(folder, epochs=3), whole)
