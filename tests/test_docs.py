"""The pages for contributors: what they link to, name and show exists."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PAGES = ("docs/architecture.md", "docs/extending.md")
PLACEHOLDERS = {"op.NAME"}
"""Names that stand for others."""


def text(page):
    """Return a page."""
    return (CHECKOUT / page).read_text(encoding="utf-8")


def blocks(page, language):
    """Return the code blocks of a page, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text(page), re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def prose(page):
    """Return a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", text(page), flags=re.DOTALL | re.MULTILINE)


def spans(page):
    """Return what a page sets in code, in its prose."""
    return sorted(set(re.findall(r"`([^`]+)`", prose(page))))


SPANS = [(page, span) for page in PAGES for span in spans(page)]


def paths_in(span):
    """Return the span if it is the path of a file or a folder."""
    return re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?|\w+\.(py|md|toml)", span)


@cache
def words():
    """Return every word of the code."""
    found = set()
    for folder in ("fastmlp", "kernels", "tests"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            if path != Path(__file__):
                found.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return found


@cache
def file_names():
    """Return the name of every file of the code, and of those at the top."""
    folders = [CHECKOUT / folder for folder in ("fastmlp", "kernels", "tests")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return {path.name for path in [*files, *CHECKOUT.glob("*.*")]}


def bare(lines):
    """Return lines of code without what depends on their place: indentation and a last comma."""
    return [line.strip().rstrip(",") for line in lines if line.strip()]


def heading_links(page):
    """Return the name of each heading, as links within a page spell it."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}


def exists(dotted):
    """Tell whether a dotted name can be imported, the last parts as attributes."""
    parts = dotted.split(".")
    for n in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        try:
            for name in parts[n:]:
                thing = getattr(thing, name)
        except AttributeError:
            return False
        return True
    return False


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", text(page))

    assert links
    for link in links:
        path, _, heading = link.partition("#")
        target = (CHECKOUT / page).parent / path if path else CHECKOUT / page
        assert target.exists(), link
        if heading:
            assert heading in heading_links(target.relative_to(CHECKOUT)), link


@pytest.mark.parametrize("page", PAGES)
def test_the_text_of_a_link_to_code_is_the_end_of_its_path(page):
    for shown, link in re.findall(r"\[`([^`]+)`\]\(([^)#]+)\)", text(page)):
        target = ((CHECKOUT / page).parent / link).resolve()
        assert target.as_posix().endswith(f"/{shown}"), (shown, link)


@pytest.mark.parametrize(
    ("page", "span"), [each for each in SPANS if paths_in(each[1])], ids=lambda each: str(each)
)
def test_a_path_in_code_exists(page, span):
    assert (CHECKOUT / span).exists() if "/" in span else span in file_names()


@pytest.mark.parametrize(
    ("page", "span"), [each for each in SPANS if not paths_in(each[1])], ids=lambda each: str(each)
)
def test_a_name_in_code_exists(page, span):
    if span in PLACEHOLDERS:
        return
    if re.fullmatch(r"fastmlp(\.\w+)+", span):
        assert exists(span)
    unknown = set(re.findall(r"[A-Za-z_]\w*", re.sub(r'"[^"]*"', "", span))) - words()
    assert not unknown


@pytest.mark.parametrize("page", PAGES)
def test_options_and_commands_in_code_are_those_of_the_command_line(page):
    from fastmlp.cli import parser
    from fastmlp.cli.options import OPTIONS

    flags = {option.flag: option for option in OPTIONS}
    for span in spans(page):
        for flag, value in re.findall(r"(--[\w-]+)(?: (\w+))?", span):
            assert flag in flags
            if value:
                flags[flag].parse(value)
        command = re.fullmatch(r"fastmlp ([a-z]+)", span)
        if command:
            with pytest.raises(SystemExit) as left:
                parser().parse_args([command[1], "--help"])
            assert left.value.code == 0


@pytest.mark.parametrize("page", PAGES)
def test_code_shown_stands_in_its_file(page):
    """The first line names the file; "..." stands for lines left out."""
    for code in blocks(page, "python"):
        first, *shown = code.splitlines()
        path = CHECKOUT / first.removeprefix("# ")
        lines, start = bare(path.read_text(encoding="utf-8").splitlines()), 0
        parts = "\n".join(bare(shown)).split("\n...\n")
        assert all(parts)
        for part in (part.splitlines() for part in parts):
            places = [i for i in range(start, len(lines)) if lines[i : i + len(part)] == part]
            assert places, f"{path.name} has nowhere {part}"
            start = places[0] + len(part)


@pytest.mark.parametrize("page", PAGES)
def test_commands_shown_run_tests_that_exist(page):
    for code in blocks(page, "sh"):
        for path in re.findall(r"tests/\S+", code):
            assert (CHECKOUT / path).is_file(), path


def test_the_page_for_contributors_links_to_both():
    links = re.findall(r"\]\(([^)]+)\)", text("CONTRIBUTING.md"))

    assert set(PAGES) <= set(links)


def test_a_name_that_does_not_exist_is_found():
    assert exists("fastmlp.layers.Linear")
    assert not exists("fastmlp.layers.Linnear")
    assert not exists("fastmlp.leyers")
