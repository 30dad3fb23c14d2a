"""Course code as it is, on fastmlp's kernels: change the import lines and nothing else.

``lib``, ``nndl``, ``cs231n``, ``momentum_net`` and ``mnist_mlp`` mirror the import paths, names,
argument orders and dicts of published course systems; ``docs/reference-systems.md`` lists them.
Parameters are plain arrays in plain dicts: what a user assigns, replaces or edits in place is what
the next call uses.
"""
