"""Texts from files are shown without terminal control sequences."""

import pytest

from fastmlp.common.errors import printable, unknown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 大 1", "Größe 大 1"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("two\nlines\ttab", "two\\nlines\\ttab"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("bad byte \udcff", "bad byte \\udcff"),
        (12, "12"),
    ],
)
def test_terminal_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


def test_known_names_are_escaped_too():
    message = str(unknown("column", "sizes\x07", ["size\x1b[3", "rows"]))

    assert message.isprintable()
    assert "did you mean" in message
