"""Files of every format that fastmlp has written can still be read, and predict as they did."""

from pathlib import Path

import numpy as np
import pytest

import fastmlp

FILES = Path(__file__).parent / "files"
ROWS = np.random.default_rng(5).standard_normal((40, 3)).astype("float32")[:5]


@pytest.mark.parametrize("file", sorted(FILES.glob("*-format-*.safetensors")), ids=lambda f: f.stem)
def test_an_old_model_or_ensemble_predicts_what_it_did(file):
    expected = np.load(file.with_suffix(".npy"))

    predicted = fastmlp.load(file).predict(ROWS)

    np.testing.assert_allclose(predicted, expected, rtol=2e-5, atol=2e-6)


def test_there_is_a_file_of_every_format():
    from fastmlp.storage import model_file

    formats = {
        f'"{name}'
        for name in (model_file.FORMAT, model_file._ENSEMBLE, *model_file._WITHOUT_CHECKSUM)
    }

    found = {
        f
        for f in formats
        if any(f.replace('"', '\\"').encode() in file.read_bytes() for file in FILES.iterdir())
    }

    assert found == formats
