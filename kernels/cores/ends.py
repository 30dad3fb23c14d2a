"""The end of every core's forward pass, and the start of its backward pass.

An operation's y is dropout(f(core(x))). f and dropout are applied while a block is still in a
cache, followed by the next operation's `take_input`; gradients are handled in the same way.
"""

from ..dropout import scale_of
from ..machine.jit import inner
from ..machine.maths import one
from ..machine.simd import array_at, view
from ..plan import calls, op
from ..plan.memory import INT, copy_block, fade_at, key_of, operation_at, reals_at

__all__ = ["dz_of", "finish", "input_is_there", "unfinish", "y_of"]


@inner
def y_of(memory, zero, operation, n_rows):
    """Return the output of an operation; only its first N_OUT columns are used."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.Y], n_rows, operation[op.LD_Y])


@inner
def dz_of(memory, zero, operation, n_rows):
    """Return the gradient at an operation's core."""
    workspace = array_at(memory, op.WORKSPACE, zero)
    return view(workspace, operation[op.DZ], n_rows, operation[op.LD_Y])


@inner
def finish(memory, zero, o, step, y, block):
    """y = dropout(f(y)) in a block of the output of operation ``o``.

    Reads y. Writes y, and the values saved for `unfinish`. May destroy nothing else.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    real, keep = reals_at(memory, o, zero), operation[op.KEEP]
    workspace = array_at(memory, op.WORKSPACE, zero)
    saved = view(workspace, operation[op.SAVED], y.shape[0], operation[op.LD_Y])
    if keep == op.KEEP_SLOPE:
        calls.rise(memory, operation[op.ACTIVATION], real[op.ALPHA], y, saved, block)
    elif operation[op.ACTIVATION] >= 0:
        calls.activate(memory, operation[op.ACTIVATION], real[op.ALPHA], y, block)
    if keep == op.KEEP_OUTPUT:
        copy_block(y, saved, block)
    if real[op.DROP] > zero and not operation[op.HOOKS] & op.DROPS_ITSELF:
        p = real[op.DROP] * fade_at(memory, step, zero)
        calls.drop(memory, y, p, key_of(header, step, operation), block)
    if o + 1 < header[op.N_OPERATIONS]:
        input_is_there(memory, zero, o + 1, block)


@inner
def unfinish(memory, zero, o, step, dz, block):
    """dz = dz * mask * f'(saved) in a block: the gradient at the input of `finish`.

    Reads dz, and the values that `finish` saved. Writes dz. May destroy nothing else.
    """
    header, operation = array_at(memory, op.HEADER, INT), operation_at(memory, o)
    real, workspace = reals_at(memory, o, zero), array_at(memory, op.WORKSPACE, zero)
    hooks, factor = operation[op.HOOKS], one(zero)
    if real[op.DROP] > zero and not hooks & op.DROPS_ITSELF:
        p = real[op.DROP] * fade_at(memory, step, zero)
        if hooks & op.SIGN_SHOWS_MASK:
            factor = scale_of(p)
        else:
            calls.drop(memory, dz, p, key_of(header, step, operation), block)
    saved = view(workspace, operation[op.SAVED], dz.shape[0], operation[op.LD_Y])
    if operation[op.KEEP] == op.KEEP_SLOPE:
        calls.multiply_by(memory, dz, saved, block)
    elif operation[op.ACTIVATION] >= 0:
        activation, alpha = operation[op.ACTIVATION], real[op.ALPHA]
        calls.differentiate(memory, activation, alpha, factor, dz, saved, block)
    if operation[op.HOOKS] & op.TAKES_GRADIENT:
        calls.take_gradient(memory, operation[op.CORE], memory, zero, o, block)


@inner
def input_is_there(memory, zero, o, block):
    """Notify operation ``o`` that a block of its input is ready."""
    operation = operation_at(memory, o)
    if operation[op.HOOKS] & op.TAKES_INPUT:
        calls.take_input(memory, operation[op.CORE], memory, zero, o, block)
