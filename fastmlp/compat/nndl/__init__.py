"""The package ``nndl`` of R2: a net whose weights have a row per output, and its framework."""
