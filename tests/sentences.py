"""An assertion that bad input raises an error of one sentence."""

from contextlib import contextmanager

import pytest


@contextmanager
def refused(kinds=(ValueError, TypeError), *words):
    """Expect an error of these kinds whose message is one sentence that contains all the words."""
    with pytest.raises(kinds) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message, f"more than one line: {message!r}"
    assert 10 < len(message) < 400, f"not a sentence: {message!r}"
    for word in words:
        assert word.lower() in message.lower(), f"{word!r} is not in {message!r}"
