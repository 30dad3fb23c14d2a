"""The examples in docs/how-to/export.md work as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from exported import require

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "export.md"


def example(language, number=0):
    """Return a code block of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"<!-- example -->\n```{language}\n(.*?)```", text, re.DOTALL)[number]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder in which the first example has run."""
    require("onnxruntime")
    folder = tmp_path_factory.mktemp("page")
    code = example("python") + example("python", 1) + "assert outputs.shape == (2, 3)\n"
    code += example("python", 2) + example("python", 3) + "assert len(labels) == 2\n"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_c_example_prints_the_outputs(compiler, folder):
    require(compiler)
    (folder / "main.c").write_text(example("c"))
    strict = ("-std=c99", "-Wall", "-Werror")

    subprocess.run([compiler, *strict, "main.c", "-o", "main", "-lm"], cwd=folder, check=True)

    done = subprocess.run([folder / "main"], check=True, capture_output=True, text=True)
    assert len(done.stdout.split()) == 3


def test_the_javascript_example_gives_the_outputs(folder):
    require("node")
    (folder / "package.json").write_text('{"type": "module"}')
    printed = "console.log(y.length, nInputs, nOutputs, classes[p.indexOf(Math.max(...p))]);\n"
    (folder / "main.js").write_text(example("js") + example("js", 1) + printed)

    done = subprocess.run(
        ["node", "main.js"], cwd=folder, check=True, capture_output=True, text=True
    )

    assert done.stdout.split() == ["3", "4", "3", "finch"]
