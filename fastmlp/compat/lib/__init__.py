"""The package ``lib`` of R1: modular layers with named parameters."""
