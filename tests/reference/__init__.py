"""A reference for every formula in plain float64 numpy, easy to check by eye.

It imports nothing from fastmlp, shares no code with it, and makes no attempt to be fast. Letters
in shapes: N rows, D inputs, H outputs of a layer, C classes. Functions return new arrays and never
change their arguments.
"""

# ruff: noqa: F403 - all that is in these files is the reference
from .layers import *
from .losses import *
from .network import *
from .numerical import *
from .optimizers import *
from .schedules import *
