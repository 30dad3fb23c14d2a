"""The field names of a plan, used as ``op.NAME``; only this module assigns their numbers.

A plan encodes one training step as integers. It has a row for each fused operation, in forward
order: a core (a product, a normalisation or nothing), then an activation, then dropout. The last
name of each group is the number of fields.

The numbers are numpy int64, not Python int: numba treats a Python int as part of a signature and
would compile a kernel again for each value.
"""

import numpy as np

# Hyperparameters of an update, in this order in one array.
(
    LEARNING_RATE,
    BETA1,
    BETA2,
    REST1,  # 1 - BETA1 ...
    REST2,  # ... and 1 - BETA2: if kernels computed them, a compiler would rearrange them away
    EPSILON,
    WEIGHT_DECAY,
    L2,
    STEP,
    L2_SHARED,  # if above 0, each step's L2 is this divided by the total weight of its rows
    CORRECTED_STEP,  # the STEP of the two below, which updates keep here ...
    CORRECTION1,  # ... 1 - BETA1**STEP
    CORRECTION2,  # ... 1 - BETA2**STEP
    N_HYPER_FIELDS,
) = np.arange(14)
N_HYPER = np.int64(16)  # each thread has its own copy, on its own cache lines

# Types of raw input.
UINT8, FLOAT32, FLOAT64 = np.arange(3)
RAW_CODES = {"uint8": UINT8, "float32": FLOAT32, "float64": FLOAT64}

# How raw input is standardised: not at all, in the working dtype, or in float64.
AS_THEY_ARE, IN_REAL, IN_DOUBLE = np.arange(3)

# An operation. Offsets are in elements: parameters' offsets into theta, all others into the
# workspace, where a matrix has one row per row of the batch and LD_* elements per row. -1 means
# none.
(
    CORE,  # its code: its position in `cores.TABLE`
    HOOKS,  # which of the optional calls below it uses
    N_IN,
    N_OUT,
    ACTIVATION,  # its code: its position in `activations.TABLE`
    KEEP,  # what the forward pass keeps of the activation, besides the output
    X,
    LD_X,
    Y,
    LD_Y,
    SAVED,
    DZ,
    WEIGHT,  # or gamma
    BIAS,  # or beta
    STATISTICS,  # values that the core's forward pass saves for its backward pass
    RUNNING,  # offset of the core's running statistics in their array
    LAYER,  # part of the key of the dropout mask
    SPLIT_COLUMNS,  # the number of parts the columns are split into; threads / parts split the rows
    GRAIN,  # columns are divided among threads in multiples of this
    X_ROUNDED,  # x in bfloat16 tiles for the forward product ...
    X_TURNED,  # ... and for the gradient of the weight
    DZ_ROUNDED,  # dz for the backward product ...
    DZ_PACKED,  # ... and for the gradient of the weight; without tiles, in a thread's scratch
    PACKED_FORWARD,  # the weight in PACKED for the forward product ...
    PACKED_BACKWARD,  # ... and for the backward product
    SIZE1,  # whole numbers that only the core knows the meaning of
    SIZE2,
    SIZE3,
    N_OPERATION_FIELDS,
) = np.arange(29)
KEEP_NOTHING, KEEP_SLOPE, KEEP_OUTPUT = np.arange(3)

# Calls that only some cores use, as bits of HOOKS.
TAKES_INPUT = np.int64(1)  # `take_input`, as soon as a block of its input is ready
TAKES_GRADIENT = np.int64(2)  # `take_gradient`, as soon as a block of its dz is ready
FOLLOWS_UPDATES = np.int64(4)  # `follow_update`, whenever a piece of its weight has changed
LIMITS_NORMS = np.int64(8)  # `limit_norms`: its weight has units whose norms can be limited
BACKWARD_FIRST = np.int64(16)  # `backward` even for the first operation, with none below it
# Bits of HOOKS that say how the mask of dropout reaches the gradient.
DROPS_ITSELF = np.int64(32)  # the core has it in what it keeps
SIGN_SHOWS_MASK = np.int64(64)  # the activation gets it from the sign of the output

# The real numbers of an operation, in the working dtype.
ALPHA, DROP, NORM_EPSILON, NORM_MOMENTUM, N_REAL_FIELDS = np.arange(5)
# The last row belongs to the loss; a validation also has 1 / the total weight of its rows there.
LOSS_PARAMETER, LOSS_SCALE = np.arange(2)

# ``units`` has a row for each piece of the update: its operation, its inputs (a range of rows of
# the weight; UNIT_VECTORS for the vectors, bias or gamma and beta), its range in theta, and its row
# in the table of factors.
(
    UNIT_OPERATION,
    UNIT_FIRST,
    UNIT_LAST,
    UNIT_START,
    UNIT_SIZE,
    UNIT_FACTORS,
    N_UNIT_FIELDS,
) = np.arange(7)
UNIT_VECTORS = np.int64(-1)

# What an array of parameters multiplies the optimizer's numbers by: a row of the table of factors.
# Weight decay of 0 means none, and also that no decay is part of the gradient.
RATE_FACTOR, EPSILON_FACTOR, DECAY_FACTOR, N_FACTORS = np.arange(4)

# The header: fields of the plan as a whole.
(
    N_THREADS,
    BATCH_SIZE,  # the most rows per step; arrays have room for this many
    STEP_ROWS,  # rows per step; the last step takes all remaining rows if they fit in BATCH_SIZE
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
    TARGETS,  # offset of the batch's targets in the workspace
    LD_TARGETS,
    N_TARGETS,  # the number of target columns; 0 for labels
    ROW_WEIGHTS,  # offset of the batch's row weights in the workspace; all 1 unless WEIGHTED
    STORE_GRADIENT,
    N_OPERATIONS,
    N_UNITS,
    SCRATCH_SIZE,
    REAL_CODE,  # FLOAT32 or FLOAT64: the working dtype
    ROW_GRAIN,  # rows are divided among threads in multiples of this
    PARTS,  # how many bfloat16 numbers represent each float32 in the products of `affine_bf16`
    GRADIENT_AT,  # offset of the gradient of a piece of the parameters in a thread's scratch
    N_HEADER_FIELDS,
) = np.arange(26)

# ``control``: how threads communicate, each field on its own cache line.
ARRIVED, HALT, STOP, ABORT, STEPS_DONE, PAUSE, NEXT_VALIDATED = np.arange(0, 56, 8)
N_CONTROL = np.int64(56)
# followed, for each thread, by: barriers passed, pieces taken, whose dz it keeps (`memory.kept_by`)

# A run of several epochs in one call: its int64 fields.
(
    STATE,  # one of the states below
    N_EPOCHS,  # the most epochs of this call
    EPOCHS_DONE,  # complete epochs of this call
    EPOCHS_BEFORE,  # epochs of the same fit before this call
    DRAWS_ORDER,  # whether each epoch visits the rows in a new order
    ORDER_SEED,  # key of the order, with ...
    ORDER_EPOCH,  # ... the optimizer's number of the first epoch
    RATES_STRIDE,  # from the rates of an epoch to those of the next; 0 if they are the same
    FADES_STRIDE,  # the same for the factors of decay and dropout
    ORDER_STRIDE,  # the same for given orders
    STEPS_STRIDE,  # the same for the penalties, masses and hits of the steps; 0 to overwrite them
    N_ANSWERS,  # of an epoch, that can be correct: the accuracy is hits / answers
    N_VALIDATION_ANSWERS,
    MONITORED,  # the field of an epoch's results that decides which epoch is the best; -1: none
    LATER_WINS,  # whether the later of equal epochs is the best
    PATIENCE,  # epochs without improvement after which to stop; -1: never
    WAITED,  # epochs without improvement so far
    BEST_EPOCH,
    STEPS_BETWEEN_COPIES,  # of all that training changes, to go back to
    COPIED_STEP,  # the optimizer's number of steps at the last of these copies
    COPIED_EPOCH,  # the epochs done in this call by then; -1: no copy in this call
    BEST_COPIED,  # whether this call has copied the best parameters
    GOOD_DUE,  # whether the threads copy what there is to go back to before the next epoch, ...
    BEST_DUE,  # ... and the best parameters
    SPOILT,  # whether a parameter is not finite
    N_RUN_FIELDS,
) = np.arange(26)
(
    RUN_DONE,  # all epochs of this call
    RUN_ON,
    RUN_PAUSED,
    RUN_PATIENCE_OUT,
    RUN_TIME_UP,
    RUN_INTERRUPTED,
    RUN_DIVERGED,
) = np.arange(7)
# Its float64 fields.
SIGN, MIN_DELTA, BEST_VALUE, SECONDS_LEFT, DEADLINE, STARTED, N_RUN_REALS = np.arange(7)
# The results of an epoch, float64.
(
    LOSS_MEAN,
    ACCURACY,
    VALIDATION_LOSS,
    VALIDATION_ACCURACY,
    VALIDATED,  # whether the two above are known: not if the run was interrupted before
    STEPS_SECONDS,
    N_RESULTS,
) = np.arange(7)

# A mailbox, which offers a thread a part in predictions, is a table like the one below. The first
# number of its first row is its state, one of the three.
OFFER, TABLE, JOB, N_MAILBOX_ROWS = np.arange(4)  # the thread's own table of arrays; the job
NOTHING, OFFERED, TAKEN = np.arange(3)
# A job: int64 numbers shared by all threads that take part, each on its own cache line.
NEXT_ROW, N_JOB_ROWS, ROWS_AT_ONCE, FAILED = np.arange(0, 32, 8)
N_JOB = np.int64(32)

# The arrays of a run: ``memory`` is an int64 matrix with the address and length of each array
# below, so one small argument passes them all. Arrays marked (real) are in the working dtype.
(
    KERNELS,  # int64: addresses of kernels; `machine.links` expects it in the first row
    HEADER,  # int64, the fields of the plan
    OPERATIONS,  # int64 (operations, fields)
    REALS,  # (real) (operations + 1, real fields); the last row has the loss's parameter
    UNITS,  # int64 (units, fields)
    THETA,  # (real) the parameters; gradient and states have the same layout
    GRADIENT,  # (real) a placeholder if the plan does not store it
    STATE1,  # (real)
    STATE2,  # (real)
    RUNNING_STATISTICS,  # (real)
    RAW,  # the bytes of X
    SHIFT,  # (real), or float64 for IN_DOUBLE: subtracted from X ...
    SCALE,  # same type: ... then multiplied with the difference
    LABELS,  # int64 (N,)
    TARGET_VALUES,  # (real) (N, C)
    WEIGHTS,  # (real) (N,) if rows have different weights
    ORDER,  # int64: the order of rows; empty for all rows in order
    WORKSPACE,  # (real)
    SCRATCH,  # (real) (threads, ...)
    BATCH_LABELS,  # int64 (batch,)
    ROW_LOSSES,  # float64 (batch,)
    ROW_HITS,  # int64 (batch,)
    FACTORS,  # float64 (arrays of parameters, N_FACTORS)
    UNIT_SHARES,  # int64 (threads + 1,): where each thread's units begin
    UNIT_SUMS,  # float64 (2, units): sums of squares of the weights and of the gradients
    HYPER,  # float64 (threads, N_HYPER)
    RATES,  # float64 (steps,)
    FADES,  # float64 (steps,): what multiplies weight decay and the probabilities of dropout
    LOSSES_OUT,  # float64 (steps,)
    PENALTIES_OUT,  # float64 (steps,)
    HITS_OUT,  # int64 (steps,)
    MASSES_OUT,  # float64 (steps,): the total weight of each step's rows
    CONTROL,  # int64 (N_CONTROL + 8 * threads,)
    OUTPUTS,  # (real) (N, C) outputs of inference
    PACKED,  # (real) weights as bfloat16 tiles, see `cores.affine_bf16`
    RUN,  # int64 (N_RUN_FIELDS,)
    RUN_REALS,  # float64 (N_RUN_REALS,)
    RESULTS,  # float64 (epochs, N_RESULTS)
    USED_ROWS,  # int64 (n,): the rows that an epoch visits; empty for all
    VALIDATION,  # int64 (threads, 2): each thread's own table of arrays; empty without validation
    GOOD,  # int64 (2 k, 2): what to copy to go back to: address and bytes of source, target, ...
    BEST,  # the same for the best epoch
    N_ARRAYS,
) = np.arange(43)
