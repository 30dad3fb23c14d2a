"""The package ``cs231n`` of R2 and R3."""
