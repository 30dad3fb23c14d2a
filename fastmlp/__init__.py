"""fastmlp trains multi-layer perceptrons on a CPU, fast."""
