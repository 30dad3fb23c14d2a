"""The published results of the five reference systems, reproduced on the real data.

``python -m bench.reference_systems --cifar10 DIR --mnist DIR`` runs all of them; see ``--help``.
"""
