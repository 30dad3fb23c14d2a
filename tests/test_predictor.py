"""`model.predictor`: a model as it is now, for few rows at a time and any number of threads."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import Identity, architectures, every_layer
from strategies import filled

import fastmlp


@pytest.fixture(params=["compiled", "numpy"])
def how(request, monkeypatch):
    """Predict with kernels, or as where there are none."""
    monkeypatch.setenv("FASTMLP_PREDICT", request.param)
    return request.param


@given(
    architecture=architectures(),
    dtype=st.sampled_from(["float32", "float64"]),
    n_rows=st.integers(1, 9),
)
def test_the_outputs_have_the_bits_of_predict(architecture, dtype, n_rows):
    D, _, build = architecture
    model = fastmlp.Sequential(*build(), dtype=dtype)
    X = filled((n_rows, D), "normal", 4)

    y = model.predictor(max_rows=9)(X)

    np.testing.assert_array_equal(y, model.predict(X))
    assert y.dtype == dtype


def test_one_row_without_an_axis_gives_one_row_of_outputs(how):
    model = every_layer(5, 8, 3)
    x = filled((5,), "normal", 1)

    y = model.predictor()(x)

    np.testing.assert_allclose(y, model.predict(x[None])[0], rtol=1e-6)


@pytest.mark.parametrize("make", [list, np.asfortranarray, lambda X: X.astype("uint8")])
def test_rows_of_every_kind_are_taken(make, how):
    X = np.arange(12.0).reshape(3, 4)
    model = fastmlp.Sequential(fastmlp.Linear(4, 2))

    y = model.predictor(max_rows=3)(make(X))

    np.testing.assert_allclose(y, model.predict(X), rtol=1e-5)


def test_images_are_flattened(how):
    X = filled((2, 3, 4), "normal", 2)
    model = fastmlp.Sequential(fastmlp.Flatten(), fastmlp.Linear(12, 2))

    np.testing.assert_allclose(model.predictor(max_rows=2)(X), model.predict(X), rtol=1e-5)


def test_inputs_far_from_0_are_not_rounded_first(how):
    model = fastmlp.Sequential(fastmlp.Normalize(1.7e9, 0.5), fastmlp.Linear(1, 1))
    X = np.array([[1.7e9 + 0.25]])

    np.testing.assert_allclose(model.predictor()(X), model.predict(X), rtol=1e-6)
    assert model.predictor()(X) != 0


def test_more_rows_than_fit_into_a_cache_are_taken(how):
    X = filled((700, 3), "normal", 3)
    model = fastmlp.Sequential(fastmlp.Linear(3, 2))

    np.testing.assert_allclose(model.predictor(max_rows=700)(X), model.predict(X), rtol=1e-5)


def test_it_predicts_as_the_model_did_when_it_was_made(how):
    model = fastmlp.Sequential(
        fastmlp.Normalize([0.0, 0.0], [1.0, 2.0]),
        *(fastmlp.Linear(2, 3), fastmlp.BatchNorm(3), fastmlp.LeakyReLU(0.1)),
    )
    X = filled((4, 2), "normal", 5)
    predictor = model.predictor(max_rows=4)
    before = predictor(X)

    for array in (*model.params.values(), *model.state.values()):
        array += 1.0
    model.layers[3].negative_slope = 0.7

    np.testing.assert_array_equal(predictor(X), before)
    assert (model.predict(X) != before).any()


def test_what_it_returned_stays_as_it_was(how):
    model = fastmlp.Sequential(fastmlp.Linear(2, 2))
    predictor = model.predictor()

    first = predictor(np.ones((1, 2), np.float32))
    kept = first.copy()
    predictor(np.zeros((1, 2), np.float32))

    np.testing.assert_array_equal(first, kept)


def test_threads_may_call_it_at_once(how):
    model = every_layer(6, 16, 4)
    X = filled((64, 6), "normal", 6).astype(np.float32)
    predictor = model.predictor(max_rows=2)
    wanted, wrong = model.predict(X), []
    start = threading.Barrier(8)

    def ask(number):
        start.wait()
        for i in range(number, 400 + number):
            place = slice(i % 62, i % 62 + 1 + i % 2)
            if not np.allclose(predictor(X[place]), wanted[place], rtol=1e-4, atol=1e-6):
                wrong.append(i)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


@pytest.mark.parametrize("shape", [(4, 5), (1, 6), (6,), (1, 2, 3)])
def test_rows_that_do_not_fit_are_refused(shape):
    predictor = fastmlp.Sequential(fastmlp.Linear(5, 2)).predictor(max_rows=3)

    with pytest.raises(ValueError, match="takes 1 to 3 rows of 5 features, got shape") as found:
        predictor(np.zeros(shape, np.float32))
    assert ("larger max_rows" in str(found.value)) == (shape == (4, 5))


def test_no_rows_are_refused():
    predictor = fastmlp.Sequential(fastmlp.Linear(5, 2)).predictor()

    for rows in (np.zeros((0, 5), np.float32), [], [[]]):
        with pytest.raises(ValueError, match="takes 1 to 1 rows of 5 features, got shape"):
            predictor(rows)


def test_texts_are_refused():
    with pytest.raises(TypeError, match="X must"):
        fastmlp.Sequential(fastmlp.Linear(2, 2)).predictor()([["a", "b"]])


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="its rows differ in length"):
        fastmlp.Sequential(fastmlp.Linear(2, 2)).predictor()([[1.0, 2.0], [3.0]])


def test_more_rows_than_memory_holds_are_refused():
    with pytest.raises(ValueError, match="choose a smaller max_rows"):
        fastmlp.Sequential(fastmlp.Linear(2, 2)).predictor(max_rows=2**50)


@pytest.mark.parametrize("max_rows", [0, 1.5, "3"])
def test_a_number_of_rows_is_a_whole_one(max_rows):
    with pytest.raises((TypeError, ValueError), match="max_rows"):
        fastmlp.Sequential(fastmlp.Linear(2, 2)).predictor(max_rows=max_rows)


def test_a_model_with_a_layer_of_your_own_has_none():
    with pytest.raises(TypeError, match=r"fastmlp's own layers.*: use model\.predict"):
        fastmlp.Sequential(fastmlp.Linear(2, 2), Identity()).predictor()
