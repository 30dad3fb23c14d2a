"""Runs course code on fastmlp's kernels: change its import lines and nothing else.

``lib``, ``nndl``, ``cs231n``, ``momentum_net`` and ``mnist_mlp`` mirror the import paths, names,
argument orders and dicts of published course systems; ``docs/reference-systems.md`` lists them.
Parameters are plain arrays in plain dicts. Assign, replace or edit them in place; the next call
uses them.
"""
