"""How doubts about columns are worded."""

from collections.abc import Iterable

__all__ = ["about_case", "counted_classes", "joined", "short"]


def joined(doubts: Iterable[str]) -> str:
    """Return what is doubtful about a column in one sentence, which its name begins."""
    return "; it ".join(filter(None, doubts))


def about_case(names: Iterable[str], what: str) -> str:
    """Say which names differ only in upper and lower case; "" if none do.

    Not of codes of one or two letters, such as AA and Aa.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name and len(name) > 2:
            return f"has the {what} {short(other)} and {short(name)}, which differ only in case"
    return ""


def counted_classes(n: int) -> str:
    """Return a number of classes: ``1 class``, ``3 classes``."""
    return f"{n:,} class{'es' * (n != 1)}"


def short(text: str) -> str:
    """Return a text for a message, in quotes."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
