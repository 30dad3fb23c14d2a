"""Learning from tables."""
