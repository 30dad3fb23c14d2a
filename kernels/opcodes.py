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

# A plan: what one training step does, as integers.
#
# ``operations`` has a row for each fused operation, in forward order: a core (a product, a
# normalisation or nothing), then an activation, then dropout. Offsets are in elements; those of
# parameters into theta, the others into the workspace, where a matrix has a row for each row of
# the batch and LD_* elements in a row. -1: there is none.
AFFINE, BATCH_NORM, LAYER_NORM, PASS = range(4)
(
    CORE,
    N_IN,
    N_OUT,
    ACTIVATION,
    KEEP,  # what of the activation the backward pass needs, besides the output
    X,
    LD_X,
    Y,
    LD_Y,
    SAVED,
    DZ,
    WEIGHT,  # or gamma
    BIAS,  # or beta
    STATISTICS,  # mean, then inv_std, of a normalisation
    RUNNING,  # mean, then variance, into the array of running statistics
    LAYER,  # which keys the dropout mask
    SPLIT_COLUMNS,  # over how many threads the columns are shared out
) = range(17)
N_OPERATION_FIELDS = 17
KEEP_NOTHING, KEEP_INPUT, KEEP_OUTPUT = range(3)

# The real numbers of an operation, in the working dtype.
ALPHA, DROP, NORM_EPSILON, NORM_MOMENTUM = range(4)
N_REAL_FIELDS = 4

# ``units`` has a row for each piece of the update: which operation, which of its inputs (a range
# of rows of the weight; UNIT_VECTORS: its vectors, bias or gamma and beta), and where it lies in
# theta.
UNIT_OPERATION, UNIT_FIRST, UNIT_LAST, UNIT_START, UNIT_SIZE = range(5)
N_UNIT_FIELDS = 5
UNIT_VECTORS = -1

# The numbers of a whole plan.
(
    N_THREADS,
    BATCH_SIZE,
    N_ROWS,
    N_STEPS,
    FIRST_STEP,
    SEED,
    RAW_CODE,
    N_FEATURES,
    STANDARDISE,
    LOSS,
    OPTIMIZER,
    WEIGHTED,
    TARGETS,  # where the batch's targets lie in the workspace
    LD_TARGETS,
    ROW_WEIGHTS,
    STORE_GRADIENT,
) = range(16)
N_HEADER_FIELDS = 16

# ``control``: what threads tell each other, each on its own cache line.
ARRIVED, TICKET, HALT, STOP, STEPS_DONE = (0, 8, 16, 24, 32)
N_CONTROL = 40
