"""How a model runs: from layers to a plan, and the runners that train and predict with it.

The engine stands between what a user combines (layers, losses, optimizers) and the kernels. It
imports nothing from above: layers describe themselves in the terms of `plan`, and models, losses
and optimizers are known by the protocols in `protocols`.
"""
