"""The published outcomes of the five reference systems, repeated on the real data.

``python -m bench.reference_systems --cifar10 DIR --mnist DIR`` runs them all; see ``--help``.
"""
