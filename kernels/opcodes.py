"""The integer codes that kernels switch on, and the layout of a plan: the only place that knows."""

# Activations. The derivative of those below NEEDS_INPUT is computed from their output.
IDENTITY, RELU, LEAKY_RELU, ELU, SELU, SIGMOID, TANH, GELU, SILU, MISH = range(10)
NEEDS_INPUT = GELU

ACTIVATIONS = {
    "identity": IDENTITY,
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "elu": ELU,
    "selu": SELU,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "gelu": GELU,
    "silu": SILU,
    "mish": MISH,
}

# Losses. Those before FIRST_DENSE take integer labels, the others an array of targets.
CROSS_ENTROPY, HINGE, MSE, BINARY_CROSS_ENTROPY, MAE, HUBER, QUANTILE, POISSON = range(8)
FIRST_DENSE = MSE

LOSSES = {
    "cross_entropy": CROSS_ENTROPY,
    "hinge": HINGE,
    "mse": MSE,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY,
    "mae": MAE,
    "huber": HUBER,
    "quantile": QUANTILE,
    "poisson": POISSON,
}

# Optimizers.
SGD, MOMENTUM, NESTEROV, RMSPROP, RMSPROP_IN_ROOT, ADAM, ADAMW, ADAGRAD = range(8)

OPTIMIZERS = {
    "sgd": SGD,
    "momentum": MOMENTUM,
    "nesterov": NESTEROV,
    "rmsprop": RMSPROP,
    "rmsprop_in_root": RMSPROP_IN_ROOT,
    "adam": ADAM,
    "adamw": ADAMW,
    "adagrad": ADAGRAD,
}

# Hyper-parameters of an update, in this order in one array.
LEARNING_RATE, BETA1, BETA2, EPSILON, WEIGHT_DECAY, L2, STEP = range(7)
N_HYPER = 8

# Types of raw input.
UINT8, FLOAT32, FLOAT64 = range(3)
