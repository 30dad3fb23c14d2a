"""One page about a training run: a single HTML file that needs no network and no scripts.

`Findings` holds what is known of the run, and `write` makes the page of it. Charts are inline SVG
whose colours follow the reader's light or dark mode.
"""

from fastmlp.report.findings import Findings, Importances
from fastmlp.report.page import ENDINGS, page, write

__all__ = ["ENDINGS", "Findings", "Importances", "page", "write"]
