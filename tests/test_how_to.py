"""The how-to pages show code that runs; those on exporting and serving have tests of their own."""

import re
import shlex
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[1] / "docs" / "how-to"


def run(page, folder, monkeypatch):
    """Run all code of a page in a folder; return the names it leaves."""
    monkeypatch.chdir(folder)
    names = {}
    text = (PAGES / page).read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, page, "exec"), names)
    return names


def test_searches(tmp_path, monkeypatch):
    names = run("search.md", tmp_path, monkeypatch)

    assert names["search"].best_score_ > 0.8
    assert len(names["result"].runs) == 27
    assert names["result"].best["epochs"] == 27
    assert names["result"].best["val_accuracy"] > 0.9


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


def test_own_parts(tmp_path, monkeypatch):
    names = run("own-parts.md", tmp_path, monkeypatch)

    assert max(names["errors"].values()) <= 1e-5
    assert names["accuracy"] > 0.8
    assert names["history"].stopped == "good enough"


def test_packs(tmp_path, monkeypatch):
    names = run("packs.md", tmp_path, monkeypatch)

    assert max(names["histories"][names["best"]].val_accuracy) > 0.9
    assert names["score"] > 0.9


def test_large_data(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    names = run("large-data.md", tmp_path, monkeypatch)

    assert names["model"].predict(names["X"][:3]).shape == (3, 10)
    assert names["small"].predict(names["X"][:3, :2]).shape == (3, 10)


def test_reference_systems(tmp_path, monkeypatch):
    names = run("../reference-systems.md", tmp_path, monkeypatch)

    assert len(names["history"]["loss_history"]) == 40


COMMANDS = [
    (page.name, line)
    for page in (*sorted(PAGES.glob("*.md")), *sorted(PAGES.parent.glob("*.md")))
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("fastmlp ")
]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_shown_is_understood(page, line):
    from fastmlp.cli import parser

    parser().parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link
