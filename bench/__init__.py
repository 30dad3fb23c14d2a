"""Benchmarks of fastmlp against the alternatives that a user has; run ``python -m bench``."""
