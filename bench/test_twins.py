"""fastmlp's RealMLP trains as pytabkit's does, from the same parameters on the same batches."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastmlp.tabular import methods
from fastmlp.training.stopping import EarlyStopping

N_TRAIN, N, EPOCHS = 768, 1024, 3
SIZES = (2, 5, 12, 20)  # of categories: one column, one-hot, and two that TD embeds
PUBLISHED = {
    "class": EarlyStopping(None, "val_accuracy", ties="later"),
    "number": EarlyStopping(None, "val_loss", ties="later"),
}
"""Which epoch is the best; `Recipe.monitor` says what fastmlp does by itself."""


@pytest.mark.parametrize("kind", ["class", "number"])
@pytest.mark.parametrize(
    ("method", "theirs", "settings"),
    [("realmlp-td-s", "RealMLP_TD_S", {}), ("realmlp-td", "RealMLP_TD", {"p_drop": 0.0})],
)
def test_the_loss_of_every_epoch_and_the_predictions_are_pytabkits(
    kind, method, theirs, settings, monkeypatch
):
    pytest.importorskip("pytabkit")
    table = Table(kind)
    reference = Reference(table, theirs, settings, monkeypatch)
    train, val = np.arange(N_TRAIN), np.arange(N_TRAIN, N)
    recipe = methods.prepare(
        method, table.rows(train), table.y[train], n_classes=3 if kind == "class" else 0
    )
    give(recipe.model.layers, reference.parameters, table.numbers.shape[1])

    history = recipe.train(
        table.rows(train), table.y[train], table.rows(val), table.y[val],
        epochs=EPOCHS, shuffle=False, n_threads=1, matmul_precision="highest",
        early_stopping=PUBLISHED[kind],
    )  # fmt: skip

    np.testing.assert_allclose(history.loss, reference.losses, rtol=1e-4)
    found, expected = recipe.predict(table.rows(val)), reference.predicted
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


class Table:
    """Numbers, categories and a target that depends on both."""

    def __init__(self, kind: str):
        rng = np.random.default_rng(0)
        self.numbers = rng.standard_normal((N, 6)) ** 3
        self.codes = np.stack([rng.integers(1, k + 1, N) for k in SIZES], axis=1)
        signal = np.sin(self.numbers[:, 0]) + (self.codes % 3 == 1).sum(axis=1)
        self.y = np.digitize(signal, np.quantile(signal, (0.3, 0.7)))
        if kind == "number":
            self.y = signal
        self.kind = kind

    def rows(self, places: np.ndarray) -> Any:
        return SimpleNamespace(numbers=self.numbers[places], codes=self.codes[places], sizes=SIZES)

    def frame(self) -> Any:
        import pandas as pd

        frame = pd.DataFrame(self.numbers).add_prefix("x")
        for i, column in enumerate(self.codes.T):
            frame[f"c{i}"] = pd.Series([f"value {code:02d}" for code in column], dtype=object)
        return frame


class Reference:
    """A fit of pytabkit: its first parameters, the loss of each epoch, and what it predicts."""

    def __init__(self, table: Table, name: str, settings: dict, monkeypatch: Any):
        import pytabkit
        import torch
        from pytabkit.models.data import data
        from pytabkit.models.training import lightning_modules, nn_creator

        self.parameters: list[tuple[str, np.ndarray]] = []
        steps: list[float] = []
        create, step = (
            nn_creator.NNCreator.create_model,
            lightning_modules.TabNNModule.training_step,
        )

        def created(self_: Any, ds: Any, idxs_list: Any) -> Any:
            model = create(self_, ds, idxs_list)
            self.parameters = [
                (str(p.context.scope), p.detach().numpy()[0].astype(np.float64))
                for p in model.parameters()
                if p.requires_grad
            ]
            return model

        def stepped(*arguments: Any) -> Any:
            loss = step(*arguments)
            steps.append(loss.item())
            return loss

        def in_order(n: int, rows: int, device: Any = None) -> Any:
            return torch.arange(rows).repeat(n, 1)

        monkeypatch.setattr(data, "batch_randperm", in_order)
        monkeypatch.setattr(nn_creator.NNCreator, "create_model", created)
        monkeypatch.setattr(lightning_modules.TabNNModule, "training_step", stepped)
        ending = "Classifier" if table.kind == "class" else "Regressor"
        model = getattr(pytabkit, f"{name}_{ending}")(
            device="cpu", random_state=0, n_threads=1, n_epochs=EPOCHS, **settings
        )
        frame = table.frame()
        model.fit(frame[:N_TRAIN], table.y[:N_TRAIN], frame[N_TRAIN:], table.y[N_TRAIN:])
        val = frame[N_TRAIN:]
        self.predicted = model.predict_proba(val) if table.kind == "class" else model.predict(val)
        self.losses = np.reshape(steps, (EPOCHS, -1)).mean(axis=1)


def give(layers: Any, parameters: list[tuple[str, np.ndarray]], n_numbers: int) -> None:
    """Give the layers pytabkit's parameters; its embeddings of numbers stand in another order."""

    def ending(part: str, room: str = "") -> list[np.ndarray]:
        return [v for name, v in parameters if name.endswith(part) and room in name]

    weights, biases = ending("/weight", "/net"), ending("/bias", "/net")
    waves = [
        ending(part)[0] for part in ("weight_1", "bias_1", "weight_2", "bias_2") if ending(part)
    ]
    if waves:
        first, shift, mix, offset = waves
        mix = mix.transpose(0, 2, 1).reshape(n_numbers, -1)
        waves = np.concatenate([first[:, 0], shift[:, 0], mix, offset[:, 0]], axis=1)
        order = np.arange(len(weights[0]))
        made = np.arange(3 * n_numbers).reshape(n_numbers, 3)
        numbers = 3 * n_numbers + np.arange(n_numbers)[:, None]
        order[: 4 * n_numbers] = np.concatenate([made, numbers], axis=1).ravel()
        weights[0] = weights[0][order]
    for layer in layers:
        kind = type(layer).__name__
        if kind == "PeriodicEmbedding":
            layer.weight = waves
        elif kind == "Embedding":
            layer.params = {"table": np.concatenate(ending("/emb"))}
        elif kind == "Dropout":
            layer.p = 0.0
        elif kind == "Linear":
            weight = weights.pop(0)
            layer.weight, layer.bias = weight / np.sqrt(len(weight)), biases.pop(0)[0]
