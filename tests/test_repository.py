"""What the files around the code say agrees with pyproject.toml, and with each other."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(path):
    """Return a file of the checkout."""
    return (CHECKOUT / path).read_text(encoding="utf-8")


def test_pre_commit_uses_the_versions_of_the_lint_extra():
    pinned = re.findall(r'additional_dependencies: \["(.*?)"\]', text(".pre-commit-config.yaml"))

    assert pinned
    assert set(pinned) <= set(PROJECT["optional-dependencies"]["lint"])


def test_every_action_of_the_workflows_is_pinned_to_a_commit():
    workflows = [path.read_text() for path in CHECKOUT.glob(".github/workflows/*.yml")]
    actions = re.findall(r"uses: (\S+)", "".join(workflows))

    assert actions
    assert [name for name in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name)] == []


def test_the_workflow_runs_every_python_that_the_package_declares():
    declared = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    matrix = text(".github/workflows/ci.yml").split("matrix:")[1].split("steps:")[0]

    assert set(re.findall(r'"(3\.\d+)"', matrix)) == set(declared)
    assert PROJECT["requires-python"] == f">={min(declared, key=lambda v: int(v[2:]))}"


def test_what_a_checker_passes_over_has_a_reason():
    """The reason stands behind the rule's name, or in a comment on the line above."""
    bare = []
    for folder in ("fastmlp", "kernels", "bench", "tests", ".ci"):
        for path in sorted({*(CHECKOUT / folder).rglob("*.py")} - {Path(__file__)}):
            lines = path.read_text(encoding="utf-8").splitlines()
            for above, line in pairwise(["", *lines]):
                passed_over = re.search(r"# (type: ignore|pyright: ignore|noqa\b)", line)
                has_reason = re.search(r"(ignore\[[\w-]+\]|noqa: \w+)(,| -| +#) \w", line)
                if passed_over and not has_reason and not above.strip().startswith("#"):
                    bare.append(f"{path.relative_to(CHECKOUT)}: {line.strip()}")
    assert not bare


def test_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text("README.md"))

    assert links
    assert [link for link in links if not (CHECKOUT / link).exists()] == []


def test_the_commands_of_the_contributors_page_are_those_of_the_continuous_integration():
    commands = re.search(r"```sh\n(.*?)```", text("CONTRIBUTING.md"), re.DOTALL)

    assert commands is not None
    run = text(".ci/run").replace("$bin", "bin")
    checks = ("ruff check .", "ruff format --check .", "pyright")
    for check in checks:
        assert f".venv/bin/{check}" in commands[1]
        assert f".venv/bin/{check}" in run
