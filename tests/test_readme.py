"""The README: its example runs and is short, and its names and options exist."""

import re
from pathlib import Path

import pytest

import fastmlp

README = Path(__file__).parents[1] / "README.md"


def example():
    """Return the code of the first example."""
    (code,) = re.findall(r"<!-- example -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    return code


def test_the_first_example_has_at_most_ten_lines():
    assert len(example().splitlines()) <= 10


def test_the_first_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    exec(compile(example(), "README.md", "exec"), {})

    printed = capsys.readouterr().out.splitlines()[-1]
    assert float(printed.removeprefix("test accuracy ").rstrip("%")) >= 96
    assert (tmp_path / "digits.safetensors").is_file()


@pytest.mark.parametrize("row", ["Layers", "Activations"])
def test_the_named_layers_exist(row):
    (cells,) = re.findall(rf"^\| {row} \| (.*) \|$", README.read_text(), re.MULTILINE)

    names = [name for name in re.findall(r"`(\w+)`", cells) if name[0].isupper()]
    assert names
    assert [name for name in names if not hasattr(fastmlp, name)] == []


def test_commands_shown_use_options_that_exist():
    from fastmlp.cli import parser

    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    lines = "".join(blocks).splitlines()
    shown = [line.split()[1:] for line in lines if line.startswith("fastmlp ")]

    assert shown
    for arguments in shown:
        parser().parse_args(arguments)


def test_the_test_command_is_where_the_continuous_integration_looks():
    lines = README.read_text().splitlines()

    command = lines[lines.index("<!-- test -->") + 2]

    assert "pip install" in command
    assert command.endswith("pytest -n auto")
