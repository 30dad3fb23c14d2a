"""The linear autoencoder with tied weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import Adam, TiedAutoencoder
from fastmlp.gradcheck import numerical_gradient, relative_error


def flat_data(n=400, n_features=12, n_directions=3, noise=0.01, seed=0):
    """Return rows near a subspace, and its projection matrix."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(n_features, n_directions)))
    codes = rng.normal(size=(n, n_directions)) * [3.0, 2.0, 1.0]
    return codes @ basis.T + noise * rng.normal(size=(n, n_features)), basis @ basis.T


@given(
    n=st.integers(1, 5),
    n_features=st.integers(1, 6),
    data=st.data(),
)
def test_gradient_is_the_closed_form_and_the_numerical_one(n, n_features, data):
    m = data.draw(st.integers(1, n_features))
    model = TiedAutoencoder(n_features, m, dtype="float64")
    rng = np.random.default_rng(n)
    model.components = W = rng.normal(size=(m, n_features))
    X = rng.normal(size=(n, n_features))

    loss, gradient = model.loss_and_gradient(X)

    residuals = [W.T @ W @ x - x for x in X]
    closed = [
        W @ (W.T @ W @ np.outer(x, x) + np.outer(x, x) @ W.T @ W - 2 * np.outer(x, x)) for x in X
    ]
    numerical = numerical_gradient(lambda _: model.loss_and_gradient(X)[0], model.components)
    assert loss == pytest.approx(np.mean([0.5 * r @ r for r in residuals]))
    np.testing.assert_allclose(gradient, np.mean(closed, axis=0), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-5, atol=1e-6)
    assert relative_error(gradient, np.mean(closed, axis=0)) < 1e-6


def test_learns_the_subspace():
    X, projection = flat_data()
    model = TiedAutoencoder(12, 3)

    model.fit(X, epochs=60, optimizer=Adam(lr=1e-2), batch_size=50)

    W = model.components
    assert model.reconstruction_error(X) < 2 * 9 * 0.01**2
    np.testing.assert_allclose(W.T @ W, projection, atol=0.02)
    assert model.history.loss[-1] < model.history.loss[0]


def test_codes_and_rows():
    X, _ = flat_data(n=7)
    model = TiedAutoencoder(12, 3, dtype="float64")

    codes = model.transform(X)
    rows = model.inverse_transform(codes)

    W = model.components
    np.testing.assert_allclose(codes, X @ W.T, atol=1e-12)
    np.testing.assert_allclose(rows, X @ W.T @ W, atol=1e-12)
    expected = np.mean(np.sum((rows - X) ** 2, axis=1))
    assert model.reconstruction_error(X) == pytest.approx(expected)


def test_starts_as_a_projection():
    W = TiedAutoencoder(12, 3, dtype="float64").components
    np.testing.assert_allclose(W @ W.T, np.eye(3), atol=1e-12)


def test_fit_transform_and_pictures():
    X = np.random.default_rng(0).integers(0, 256, (20, 4, 4)).astype(np.uint8)
    model = TiedAutoencoder(16, 5)

    codes = model.fit_transform(X, epochs=2, validation_data=X[:3])

    np.testing.assert_array_equal(codes, model.transform(X))
    assert codes.shape == (20, 5)
    assert len(model.history.val_loss) == 2


def test_the_same_seed_gives_the_same_bits():
    X, _ = flat_data()
    first, second = (TiedAutoencoder(12, 3, seed=4).fit(X, epochs=3) for _ in range(2))
    np.testing.assert_array_equal(first.components, second.components)


def test_calling_fit_again_continues():
    X, _ = flat_data()
    once = TiedAutoencoder(12, 3).fit(X, epochs=4)
    twice = TiedAutoencoder(12, 3).fit(X, epochs=2).fit(X, epochs=2)
    np.testing.assert_array_equal(once.components, twice.components)


def test_invalid_input_is_refused():
    model = TiedAutoencoder(12, 3)
    with pytest.raises(ValueError, match="at most n_features"):
        TiedAutoencoder(3, 4)
    with pytest.raises(ValueError, match="12 features"):
        model.transform(np.ones((2, 11)))
    with pytest.raises(ValueError, match="3 columns"):
        model.inverse_transform(np.ones((2, 4)))
    with pytest.raises(ValueError, match="shape"):
        model.components = np.ones((2, 2))
