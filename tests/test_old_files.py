"""Files of every format that fastmlp has written can still be read, and predict as they did."""

from pathlib import Path

import numpy as np
import pytest

import fastmlp

FILES = Path(__file__).parent / "files"
ROWS = np.random.default_rng(5).standard_normal((40, 3)).astype("float32")[:5]


ALL = sorted(FILES.glob("*-format-*.safetensors"))
TABLES = [file for file in ALL if file.stem.startswith("table")]


@pytest.mark.parametrize("file", [f for f in ALL if f not in TABLES], ids=lambda f: f.stem)
def test_an_old_model_or_ensemble_predicts_what_it_did(file):
    expected = np.load(file.with_suffix(".npy"))

    predicted = fastmlp.load(file).predict(ROWS)

    np.testing.assert_allclose(predicted, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("file", TABLES, ids=lambda f: f.stem)
def test_an_old_model_of_a_table_predicts_what_it_did(file):
    for needed in ("sklearn", "narwhals", "polars"):
        pytest.importorskip(needed)
    import old_files

    expected = np.load(file.with_suffix(".npy"))

    with pytest.warns(UserWarning, match="'nest' holds 'roof' and none of the categories"):
        predicted = old_files.predictions(fastmlp.load(file), old_files.rows_of_table())

    np.testing.assert_allclose(predicted, expected, rtol=2e-5, atol=2e-6)


def test_there_is_a_file_of_every_method_for_tables():
    """``python tests/old_files.py`` writes those that are missing."""
    pytest.importorskip("sklearn")
    from fastmlp.tabular import METHODS

    for method in METHODS:
        for kind in ("classifier", "regressor"):
            assert any(f.stem.endswith(f"-{method}-{kind}") for f in TABLES), (method, kind)


def test_there_is_a_file_of_every_format():
    from fastmlp.storage import model_file

    formats = {
        f'"{name}'
        for name in (
            model_file.FORMAT,
            model_file._ENSEMBLE,
            model_file.TABLE_FORMAT,
            *model_file._WITHOUT_CHECKSUM,
        )
    }

    found = {
        f
        for f in formats
        if any(f.replace('"', '\\"').encode() in file.read_bytes() for file in FILES.iterdir())
    }

    assert found == formats
