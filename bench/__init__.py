"""Benchmarks of fastmlp beside what a user would pick instead; run ``python -m bench``."""
