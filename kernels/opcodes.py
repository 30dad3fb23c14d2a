"""The integer codes that kernels switch on, and the layout of a plan: the only place that knows.

The codes are numpy's int64, not Python's int: numba takes a Python int for part of a signature and
would compile a kernel again for each of them.
"""

import numpy as np

# Activations. The derivative of those below NEEDS_INPUT is computed from their output.
IDENTITY, RELU, LEAKY_RELU, ELU, SELU, SIGMOID, TANH, GELU, SILU, MISH = np.arange(10)
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
CROSS_ENTROPY, HINGE, MSE, BINARY_CROSS_ENTROPY, MAE, HUBER, QUANTILE, POISSON = np.arange(8)
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
SGD, MOMENTUM, NESTEROV, RMSPROP, RMSPROP_IN_ROOT, ADAM, ADAMW, ADAGRAD = np.arange(8)

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
(
    LEARNING_RATE,
    BETA1,
    BETA2,
    EPSILON,
    WEIGHT_DECAY,
    L2,
    STEP,
    L2_SHARED,  # above 0: each step's L2 is this divided by the weight of its rows
    L2_REPORTED,  # how much of the penalty goes into the loss of a step
) = np.arange(9)
N_HYPER = np.int64(16)  # each thread has its own, on cache lines of its own

# Types of raw input.
UINT8, FLOAT32, FLOAT64 = np.arange(3)
RAW_CODES = {"uint8": UINT8, "float32": FLOAT32, "float64": FLOAT64}

# How raw input is standardised: not at all, in the working dtype, in float64.
AS_THEY_ARE, IN_REAL, IN_DOUBLE = np.arange(3)

# A plan: what one training step does, as integers.
#
# ``operations`` has a row for each fused operation, in forward order: a core (a product, a
# normalisation or nothing), then an activation, then dropout. Offsets are in elements; those of
# parameters into theta, the others into the workspace, where a matrix has a row for each row of
# the batch and LD_* elements in a row. -1: there is none.
AFFINE, BATCH_NORM, LAYER_NORM, PASS = np.arange(4)
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
    X_ROUNDED,  # x and y as bfloat16 tiles for the forward product that reads them, ...
    X_TURNED,  # ... and for the gradient of the weight
    Y_ROUNDED,
    Y_TURNED,
    DZ_ROUNDED,  # dz for the backward product ...
    DZ_PACKED,  # ... and for the gradient of the weight
    PACKED_FORWARD,  # where PACKED has the weight for the forward product ...
    PACKED_BACKWARD,  # ... and for the backward product
) = np.arange(25)
N_OPERATION_FIELDS = np.int64(25)
KEEP_NOTHING, KEEP_INPUT, KEEP_OUTPUT = np.arange(3)

# The real numbers of an operation, in the working dtype.
ALPHA, DROP, NORM_EPSILON, NORM_MOMENTUM = np.arange(4)
N_REAL_FIELDS = np.int64(4)

# ``units`` has a row for each piece of the update: which operation, which of its inputs (a range
# of rows of the weight; UNIT_VECTORS: its vectors, bias or gamma and beta), and where it lies in
# theta.
UNIT_OPERATION, UNIT_FIRST, UNIT_LAST, UNIT_START, UNIT_SIZE = np.arange(5)
N_UNIT_FIELDS = np.int64(5)
UNIT_VECTORS = np.int64(-1)

# The numbers of a whole plan.
(
    N_THREADS,
    BATCH_SIZE,  # most rows of a step; as many have room
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
    ROW_WEIGHTS,  # those of the batch; all 1 unless WEIGHTED
    STORE_GRADIENT,
    N_OPERATIONS,
    N_UNITS,
    N_TARGETS,
    SCRATCH_SIZE,
    REAL_CODE,  # FLOAT32 or FLOAT64: the working dtype
    ROW_GRAIN,  # rows are shared out by so many
    PARTS,  # of a number in products: 0 it is itself, 1 or 2 bfloat16
    GRADIENT_AT,  # in a thread's scratch: the gradient of a piece of the parameters
    STEP_ROWS,  # rows of a step; what is left at the end is one step if it has room
) = np.arange(25)
N_HEADER_FIELDS = np.int64(25)

# ``control``: what threads tell each other, each on its own cache line.
ARRIVED, HALT, STOP, ABORT, STEPS_DONE = np.arange(0, 40, 8)
N_CONTROL = np.int64(40)  # behind it, for each thread: barriers passed, pieces handed out

# A mailbox, through which a thread is asked to take part in predictions, is a table like the one
# below. The first number of its first row says how things stand, one of the three.
OFFER, TABLE, JOB = np.arange(3)  # rows; the thread's own table of arrays; the job
N_MAILBOX_ROWS = np.int64(3)
NOTHING, OFFERED, TAKEN = np.arange(3)
# A job: int64 numbers that all who take part share, each on its own cache line.
NEXT_ROW, N_JOB_ROWS, ROWS_AT_ONCE = np.arange(0, 24, 8)
N_JOB = np.int64(24)

# What a run works on: ``memory`` is an int64 matrix with the address and the length of each array
# below, so that one small argument carries them all. Those marked (real) are in the working dtype.
(
    HEADER,  # int64, the numbers of the plan
    OPERATIONS,  # int64 (operations, fields)
    REALS,  # (real) (operations + 1, real fields); the last row has the loss's parameter
    UNITS,  # int64 (units, fields)
    THETA,  # (real) the parameters; gradient and states are laid out alike
    GRADIENT,  # (real) empty where the plan does not store it
    STATE1,  # (real)
    STATE2,  # (real)
    RUNNING_STATISTICS,  # (real) of BatchNorm
    RAW,  # the bytes of X
    SHIFT,  # (real), or float64 for IN_DOUBLE: what is subtracted from X ...
    SCALE,  # the same: ... and what it is then multiplied by
    LABELS,  # int64 (N,)
    TARGET_VALUES,  # (real) (N, C)
    WEIGHTS,  # (real) (N,) where rows do not all count alike
    ORDER,  # int64: which row comes when; empty: as they lie
    WORKSPACE,  # (real)
    SCRATCH,  # (real) (threads, ...)
    BATCH_LABELS,  # int64 (batch,)
    ROW_LOSSES,  # float64 (batch,)
    ROW_HITS,  # int64 (batch,)
    UNIT_SHARES,  # int64 (threads + 1,): where each thread's units begin
    UNIT_SUMS,  # float64 (2, units): squares of the weights, of the gradients
    HYPER,  # float64 (threads, N_HYPER)
    RATES,  # float64 (steps,)
    LOSSES_OUT,  # float64 (steps,)
    HITS_OUT,  # int64 (steps,)
    CONTROL,  # int64 (N_CONTROL + 8 * threads,)
    OUTPUTS,  # (real) (N, C) of inference
    KERNELS,  # int64: the addresses of the kernels, see links
    PACKED,  # (real) weights as bfloat16 tiles, see affine_bf16
) = np.arange(31)
N_ARRAYS = np.int64(31)
