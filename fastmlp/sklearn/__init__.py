"""scikit-learn's MLPClassifier and MLPRegressor, trained by fastmlp; needs the extra ``sklearn``.

Change one import::

    from fastmlp.sklearn import MLPClassifier  # was: from sklearn.neural_network import ...

    classifier = MLPClassifier(hidden_layer_sizes=(100,), random_state=0).fit(X, y)

The arguments, their order, defaults and meaning are scikit-learn's; arguments that scikit-learn
does not have follow them, as keywords. With the same ``random_state``, the initial weights and the
minibatches are scikit-learn's too.

What trains many networks trains them side by side, a whole network on each thread: the searches
`MLPGridSearchCV` and `MLPRandomizedSearchCV`, the ensembles, and `cross_val_predict`.
"""

try:
    import sklearn  # noqa: F401 - to see whether it is there
except ModuleNotFoundError as error:
    if error.name != "sklearn":
        raise
    raise ModuleNotFoundError(
        "fastmlp.sklearn needs scikit-learn: install it with pip install 'fastmlp[sklearn]'",
        name="sklearn",
    ) from None

from fastmlp.sklearn._classifier import MLPClassifier
from fastmlp.sklearn._cross_val_predict import cross_val_predict
from fastmlp.sklearn._ensemble import MLPEnsembleClassifier, MLPEnsembleRegressor
from fastmlp.sklearn._regressor import MLPRegressor
from fastmlp.sklearn._search import MLPGridSearchCV, MLPRandomizedSearchCV

__all__ = [
    "MLPClassifier",
    "MLPEnsembleClassifier",
    "MLPEnsembleRegressor",
    "MLPGridSearchCV",
    "MLPRandomizedSearchCV",
    "MLPRegressor",
    "cross_val_predict",
]
