"""Search over training parameters: a grid or random combinations, run in parallel processes.

::

    def train(seed, n_threads, lr, l2):
        model = Sequential(Linear(784, 128), ReLU(), Linear(128, 10), seed=seed)
        history = model.fit(X, y, optimizer=Adam(lr=lr), l2=l2, epochs=5, seed=seed,
                            n_threads=n_threads, validation_data=(X_val, y_val), verbose=False)
        return model, {"val_accuracy": history.val_accuracy[-1]}

    result = sweep.search(train, {"lr": [1e-3, 2e-3], "l2": [0.0, 1e-4]}, folder="runs")
    print(result.table())
    model = result.best_model
"""

from fastmlp.sweep.ranges import LogUniform, Uniform, draw_settings, grid_settings
from fastmlp.sweep.result import Result, Score
from fastmlp.sweep.search import search

__all__ = [
    "LogUniform",
    "Result",
    "Score",
    "Uniform",
    "draw_settings",
    "grid_settings",
    "search",
]
