"""An output layer of its own for each member: y = [x_1 W_1 + b_1, x_2 W_2 + b_2, ...].

A row of x holds the inputs of ``SIZE1`` members one after the other. W (members, outputs, inputs)
is stored output by output, so that each output is a sum along two rows in memory. Outputs are few,
so these products need no register blocks.
"""

from ..machine.jit import inner, kernel
from ..machine.links import INT as COUNT
from ..machine.links import MATRIX, REALS
from ..machine.maths import zero as zero_like
from ..machine.simd import array_at, part, row_of, view
from ..plan import calls, op
from ..plan.memory import INT, NONE, operation_at, own_block, unit_at
from ..products.affine import SCRATCH
from .affine import vector_gradient
from .core import Core, Shape
from .ends import dz_of, finish, unfinish, y_of

__all__ = ["HEADS", "heads", "heads_backward", "heads_parameters"]

_COUNTS = (COUNT, COUNT, COUNT, COUNT, COUNT)
FORWARD = calls.link("cores.heads", "heads", MATRIX, MATRIX, REALS, MATRIX, *_COUNTS)
BACKWARD = calls.link("cores.heads", "heads_backward", MATRIX, MATRIX, MATRIX, *_COUNTS)
PARAMETERS = calls.link("cores.heads", "heads_parameters", MATRIX, MATRIX, REALS, *_COUNTS)
call_forward, call_backward, call_parameters = FORWARD.call, BACKWARD.call, PARAMETERS.call


@kernel
def forward(memory, zero, thread, o, step, n_rows, x):
    """y = dropout(f(members' outputs)) for this thread's rows. Reads x, theta. Writes y."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    y, n_members = y_of(memory, zero, operation, n_rows), operation[op.SIZE1]
    n_in, n_out = operation[op.N_IN] // n_members, operation[op.N_OUT] // n_members
    bias = part(array_at(memory, op.THETA, zero), operation[op.BIAS], operation[op.N_OUT])
    block = own_block(thread, header, operation, n_rows, operation[op.N_OUT])
    weight = _weight(memory, zero, operation)
    call_forward(memory, x, weight, bias, y, n_members, n_in, n_out, block.row, block.row_end)
    finish(memory, zero, o, step, y, block)


@kernel
def backward(memory, zero, thread, o, step, n_rows):
    """dz_below for this thread's rows. Reads dz, theta. Writes dz of the operation below."""
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    n_members = operation[op.SIZE1]
    n_in, n_out = operation[op.N_IN] // n_members, operation[op.N_OUT] // n_members
    dz = dz_of(memory, zero, operation, n_rows)
    dx = dz_of(memory, zero, operation_at(memory, o - 1), n_rows)
    block = own_block(thread, header, operation, n_rows, operation[op.N_IN])
    weight = _weight(memory, zero, operation)
    call_backward(memory, dz, weight, dx, n_members, n_in, n_out, block.row, block.row_end)
    unfinish(memory, zero, o - 1, step, dx, block)


@kernel
def gradient(memory, zero, thread, u, n_rows, out, out0):
    """dW of a member, or db of all. Reads dz, x. Writes out. May destroy scratch."""
    unit = unit_at(memory, u)
    operation = operation_at(memory, unit[op.UNIT_OPERATION])
    if unit[op.UNIT_FIRST] == op.UNIT_VECTORS:
        vector_gradient(memory, zero, operation, n_rows, out, out0)
        return
    workspace, n_members = array_at(memory, op.WORKSPACE, zero), operation[op.SIZE1]
    x = view(workspace, operation[op.X], n_rows, operation[op.LD_X])
    call_parameters(
        memory, dz_of(memory, zero, operation, n_rows), x, part(out, out0, unit[op.UNIT_SIZE]),
        unit[op.UNIT_FIRST], unit[op.UNIT_LAST], operation[op.N_IN] // n_members,
        operation[op.N_OUT] // n_members, n_rows,
    )  # fmt: skip


@kernel
def heads(x, weight, bias, y, n_members, n_in, n_out, row, row_end):
    """y[i, m C + c] = sum_k x[i, m D + k] weight[m C + c, k] + bias[m C + c] over some rows.

    D = n_in, C = n_out. Reads x, weight (members * C, D), bias. Writes rows [row, row_end) of y.
    """
    for m in range(n_members):
        for i in range(row, row_end):
            a, b = row_of(x, i, m * n_in, n_in), row_of(y, i, m * n_out, n_out)
            for c in range(n_out):
                w, total = row_of(weight, m * n_out + c, NONE, n_in), zero_like(bias[0])
                for k in range(n_in):
                    total += a[k] * w[k]
                b[c] = total + bias[m * n_out + c]


@kernel
def heads_backward(dy, weight, dx, n_members, n_in, n_out, row, row_end):
    """dx[i, m D + k] = sum_c dy[i, m C + c] weight[m C + c, k] over rows [row, row_end).

    Reads dy, weight. Writes dx.
    """
    for m in range(n_members):
        for i in range(row, row_end):
            g, d = row_of(dy, i, m * n_out, n_out), row_of(dx, i, m * n_in, n_in)
            for k in range(n_in):
                d[k] = zero_like(d[k])
            for c in range(n_out):
                w, gc = row_of(weight, m * n_out + c, NONE, n_in), g[c]
                for k in range(n_in):
                    d[k] += gc * w[k]


@kernel
def heads_parameters(dy, x, dweight, first, last, n_in, n_out, n_rows):
    """dweight[m C + c, k] = sum over rows of dy[i, m C + c] x[i, m D + k], first <= m < last.

    Reads dy, x. Writes dweight ((last - first) * C * D).
    """
    for j in range(dweight.size):
        dweight[j] = zero_like(dweight[j])
    for m in range(first, last):
        for i in range(n_rows):
            a, g = row_of(x, i, m * n_in, n_in), row_of(dy, i, m * n_out, n_out)
            for c in range(n_out):
                d, gc = part(dweight, ((m - first) * n_out + c) * n_in, n_in), g[c]
                for k in range(n_in):
                    d[k] += gc * a[k]


@inner
def _weight(memory, zero, operation):
    """Return the members' weights, a row for each output."""
    theta, n_in = array_at(memory, op.THETA, zero), operation[op.N_IN] // operation[op.SIZE1]
    return view(theta, operation[op.WEIGHT], operation[op.N_OUT], n_in)


def _pieces(shape: Shape, weight: int, bias: int) -> list[tuple[int, int, int, int]]:
    """Return a piece for each member's weight, and one for all biases."""
    n_members = shape.sizes[0]
    size = shape.n_in // n_members * (shape.n_out // n_members)
    vectors = int(op.UNIT_VECTORS)
    found = [(m, m + 1, weight + m * size, size) for m in range(n_members)]
    return [*found, (vectors, vectors, bias, shape.n_out)]


HEADS = Core(
    "heads",
    forward=forward,
    infer=forward,
    backward=backward,
    gradient=gradient,
    training_calls=(FORWARD, BACKWARD, PARAMETERS, calls.BIAS_GRADIENT),
    inference_calls=(FORWARD,),
    pieces=_pieces,
    scratch=lambda shape: int(SCRATCH),
)
