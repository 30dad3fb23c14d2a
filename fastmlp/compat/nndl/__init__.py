"""The package ``nndl`` of R2: a net whose weights have a row for each output, and its framework."""
