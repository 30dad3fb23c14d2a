"""Counting what a fresh process compiles while it trains and predicts."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["compiled_by", "trained_by"]

_PROGRAM = """
import hashlib
from numba.core import event

class Count(event.Listener):
    n = 0
    def on_start(self, event):
        self.n += 1
    def on_end(self, event):
        pass

count = Count()
event.register("numba:compile", count)
from networks import blobs, every_layer
X, y = blobs(100, 20, 3)
model = every_layer(20, 33, 3)
model.fit(X, y, epochs=2, batch_size=40, validation_data=(X, y), verbose=False)
print(hashlib.sha256(model.theta.tobytes() + model.predict(X).tobytes()).hexdigest(), count.n)
"""


def trained_by(cache, **variables):
    """Train in a process with this cache; return a digest, the compiled functions, its messages."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env=os.environ | {"FASTMLP_CACHE_DIR": str(cache)} | variables,
    )
    digest, n_compiled = done.stdout.split()
    return digest, int(n_compiled), done.stderr


def compiled_by(cache, **variables):
    """Return how many functions a process compiles to train with this cache."""
    return trained_by(cache, **variables)[1]
