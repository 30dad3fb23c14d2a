"""Tables: from data frames with categories, dates and missing values to networks."""

from fastmlp.tabular.encoder import Encoded, TableEncoder

__all__ = ["Encoded", "TableEncoder"]
