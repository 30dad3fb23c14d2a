"""How a model runs: the engine turns layers into a plan, and trains and predicts with it.

The engine sits between the kernels and the layers, losses and optimizers that a user combines. It
imports nothing from above: layers describe themselves with the types in `plan`, and `protocols`
defines what models, losses and optimizers must provide.
"""
