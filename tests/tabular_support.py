"""A small table with every kind of column, for tests of what learns from tables."""

import datetime

import numpy as np
import polars as pl

SPECIES = ("finch", "heron", "wren")


def birds(n=160, seed=0):
    """Return a frame, the species of each row, and its weight in grams."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    span = np.array([22.0, 150.0, 16.0])[kind] + rng.normal(size=n)
    nest = np.array(["hedge", "reed", "wall"])[np.where(rng.random(n) < 0.8, kind, (kind + 1) % 3)]
    frame = pl.DataFrame(
        {
            "ring": [f"R{i * 37}-{seed}" for i in range(n)],
            "span": [None if i % 11 == 3 else f"{cm:.1f}" for i, cm in enumerate(span)],
            "nest": [None if i % 13 == 5 else text for i, text in enumerate(nest)],
            "seen": [
                datetime.date(2023, 1, 1) + datetime.timedelta(days=int(d))
                for d in rng.integers(700, size=n)
            ],
            "adult": rng.random(n) < 0.5,
        }
    )
    grams = np.array([20.0, 1500.0, 9.0])[kind] * (1 + 0.1 * frame["adult"].to_numpy())
    return frame, np.array(SPECIES)[kind], grams
