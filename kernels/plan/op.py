"""What a plan consists of: the names of its fields, used as ``op.NAME``; nobody else numbers them.

A plan says what one training step does, as integers. It has a row for each fused operation, in
forward order: a core (a product, a normalisation or nothing), then an activation, then dropout.
The last name of each group is the number of its fields.

The numbers are numpy's int64, not Python's int: numba takes a Python int for part of a signature
and would compile a kernel again for each of them.
"""

import numpy as np

# Hyper-parameters of an update, in this order in one array.
(
    LEARNING_RATE,
    BETA1,
    BETA2,
    REST1,  # 1 - BETA1 ...
    REST2,  # ... and 1 - BETA2: computed in the kernels, a compiler would rearrange them away
    EPSILON,
    WEIGHT_DECAY,
    L2,
    STEP,
    L2_SHARED,  # above 0: each step's L2 is this divided by the weight of its rows
    N_HYPER_FIELDS,
) = np.arange(11)
N_HYPER = np.int64(16)  # each thread has its own, on cache lines of its own

# Types of raw input.
UINT8, FLOAT32, FLOAT64 = np.arange(3)
RAW_CODES = {"uint8": UINT8, "float32": FLOAT32, "float64": FLOAT64}

# How raw input is standardised: not at all, in the working dtype, in float64.
AS_THEY_ARE, IN_REAL, IN_DOUBLE = np.arange(3)

# An operation. Offsets are in elements: those of parameters into theta, the others into the
# workspace, where a matrix has a row for each row of the batch and LD_* elements in a row.
# -1: there is none.
(
    CORE,  # its code: its place in `cores.TABLE`
    HOOKS,  # which of the calls below it wants
    N_IN,
    N_OUT,
    ACTIVATION,  # its code: its place in `activations.TABLE`
    KEEP,  # what the backward pass needs of the activation, besides the output
    X,
    LD_X,
    Y,
    LD_Y,
    SAVED,
    DZ,
    WEIGHT,  # or gamma
    BIAS,  # or beta
    STATISTICS,  # what the core's forward pass leaves for its backward pass
    RUNNING,  # the core's place in the array of running statistics
    LAYER,  # part of the key of the dropout mask
    SPLIT_COLUMNS,  # how many threads share the columns; the rows are shared by the rest
    GRAIN,  # columns are shared out by so many
    X_ROUNDED,  # x in bfloat16 tiles for the forward product ...
    X_TURNED,  # ... and for the gradient of the weight
    DZ_ROUNDED,  # dz for the backward product ...
    DZ_PACKED,  # ... and for the gradient of the weight
    PACKED_FORWARD,  # the weight in PACKED for the forward product ...
    PACKED_BACKWARD,  # ... and for the backward product
    N_OPERATION_FIELDS,
) = np.arange(26)
KEEP_NOTHING, KEEP_INPUT, KEEP_OUTPUT = np.arange(3)

# Calls that only some cores want, as bits of HOOKS.
TAKES_INPUT = np.int64(1)  # `take_input`, as soon as a block of its input is there
TAKES_GRADIENT = np.int64(2)  # `take_gradient`, as soon as a block of its dz is there
FOLLOWS_UPDATES = np.int64(4)  # `follow_update`, whenever a piece of its weight has changed
LIMITS_NORMS = np.int64(8)  # `limit_norms`: its weight has units whose norms can be limited
BACKWARD_FIRST = np.int64(16)  # `backward` even of the first operation, which has none below it

# The real numbers of an operation, in the working dtype.
ALPHA, DROP, NORM_EPSILON, NORM_MOMENTUM, N_REAL_FIELDS = np.arange(5)

# ``units`` has a row for each piece of the update: which operation, which of its inputs (a range
# of rows of the weight; UNIT_VECTORS: its vectors, bias or gamma and beta), and where it lies in
# theta.
UNIT_OPERATION, UNIT_FIRST, UNIT_LAST, UNIT_START, UNIT_SIZE, N_UNIT_FIELDS = np.arange(6)
UNIT_VECTORS = np.int64(-1)

# The numbers of a whole plan.
(
    N_THREADS,
    BATCH_SIZE,  # most rows of a step; as many have room
    STEP_ROWS,  # rows of a step; what is left at the end is one step if it has room
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
    N_TARGETS,  # columns; 0: the targets are labels
    ROW_WEIGHTS,  # those of the batch; all 1 unless WEIGHTED
    STORE_GRADIENT,
    N_OPERATIONS,
    N_UNITS,
    SCRATCH_SIZE,
    REAL_CODE,  # FLOAT32 or FLOAT64: the working dtype
    ROW_GRAIN,  # rows are shared out by so many
    PARTS,  # how many bfloat16 numbers stand for a float32 in the products of `affine_bf16`
    GRADIENT_AT,  # in a thread's scratch: the gradient of a piece of the parameters
    N_HEADER_FIELDS,
) = np.arange(26)

# ``control``: what threads tell each other, each on its own cache line.
ARRIVED, HALT, STOP, ABORT, STEPS_DONE = np.arange(0, 40, 8)
N_CONTROL = np.int64(40)  # behind it, for each thread: barriers passed, pieces handed out

# A mailbox, through which a thread is asked to take part in predictions, is a table like the one
# below. The first number of its first row says how things stand, one of the three.
OFFER, TABLE, JOB, N_MAILBOX_ROWS = np.arange(4)  # the thread's own table of arrays; the job
NOTHING, OFFERED, TAKEN = np.arange(3)
# A job: int64 numbers that all who take part share, each on its own cache line.
NEXT_ROW, N_JOB_ROWS, ROWS_AT_ONCE, FAILED = np.arange(0, 32, 8)
N_JOB = np.int64(32)

# What a run works on: ``memory`` is an int64 matrix with the address and the length of each array
# below, so that one small argument carries them all. Those marked (real) are in the working dtype.
(
    KERNELS,  # int64: addresses of kernels; `machine.links` expects it in the first row
    HEADER,  # int64, the numbers of the plan
    OPERATIONS,  # int64 (operations, fields)
    REALS,  # (real) (operations + 1, real fields); the last row has the loss's parameter
    UNITS,  # int64 (units, fields)
    THETA,  # (real) the parameters; gradient and states are laid out alike
    GRADIENT,  # (real) empty where the plan does not store it
    STATE1,  # (real)
    STATE2,  # (real)
    RUNNING_STATISTICS,  # (real)
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
    PENALTIES_OUT,  # float64 (steps,)
    HITS_OUT,  # int64 (steps,)
    CONTROL,  # int64 (N_CONTROL + 8 * threads,)
    OUTPUTS,  # (real) (N, C) of inference
    PACKED,  # (real) weights as bfloat16 tiles, see `cores.affine_bf16`
    N_ARRAYS,
) = np.arange(33)
