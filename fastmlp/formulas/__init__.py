"""What each layer computes at inference, as formulas in plain numpy.

This is the one place where predictions without compiled kernels and every exporter get a formula
from. Predictions call it with arrays. Exporters call it with an `expressions.Expression` instead,
which records the operations, and write down what was recorded.

``activations``, ``layers`` and ``links`` hold a table each. A formula takes rows (N, D), or a
number of each for an activation, and then the layer's arrays and settings under their own names.
It uses only operators, numpy's elementwise functions and those of ``functions`` and ``rows``.
"""
