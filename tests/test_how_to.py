"""The how-to pages show code that runs."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[1] / "docs" / "how-to"


def run(page, folder, monkeypatch):
    """Run all code of a page in a folder; return the names it leaves."""
    monkeypatch.chdir(folder)
    names = {}
    text = (PAGES / page).read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        if not block.startswith("# needs "):
            exec(compile(block, page, "exec"), names)
    return names


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_searches(tmp_path, monkeypatch):
    names = run("search.md", tmp_path, monkeypatch)

    assert names["search"].best_score_ > 0.8
    assert len(names["result"].runs) == 27
    assert names["result"].best["epochs"] == 27
    assert names["result"].best["val_accuracy"] > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ensembles(tmp_path, monkeypatch):
    names = run("ensembles.md", tmp_path, monkeypatch)

    assert names["accuracy"] > 0.9
    assert len(names["again"]) == len(names["chosen"])
    assert names["members"].oof_score_ > 0.9
    assert names["p"].shape == (569, 2)


def test_checkpoints(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    names = run("checkpoints.md", tmp_path, monkeypatch)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = run("checkpoints.md", tmp_path, monkeypatch)

    assert names["optimizer"].epoch == 4
    assert len(names["estimator"].loss_curve_) == len(again["estimator"].loss_curve_) == 5
    assert {path.parent.name for path in files} >= {"run", "model-0000", "model-0002"}
    unchanged = {path for path in files if path.stat().st_mtime_ns == files[path]}
    assert set(files) - unchanged == {tmp_path / "model.safetensors"}  # nothing is trained again


def test_large_data(tmp_path, monkeypatch):
    names = run("large-data.md", tmp_path, monkeypatch)

    assert names["model"].predict(names["X"][:3]).shape == (3, 10)
