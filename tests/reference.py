"""A reference for every formula in plain float64 numpy, easy to check by eye.

It imports nothing from fastmlp, shares no code with it, and makes no attempt to be fast. Letters
in shapes: N rows, D inputs, H outputs of a layer, C classes. Functions return new arrays and never
change their arguments.
"""

import math

import numpy as np

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946

erf = np.vectorize(math.erf, otypes=[np.float64])


# --- layers ---------------------------------------------------------------------------------------


def affine(x, weight, bias):
    """y = x W + b; x (N, D), weight (D, H), bias (H,)."""
    return x @ weight + bias


def affine_backward(dy, x, weight):
    """Return dx (N, D), dweight (D, H), dbias (H,)."""
    return dy @ weight.T, x.T @ dy, dy.sum(axis=0)


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow for either sign."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def softplus(x):
    """log(1 + exp(x)), without overflow."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def activation(kind, x, alpha=0.0):
    """Return f(x), elementwise."""
    negative = np.minimum(x, 0.0)
    if kind == "relu":
        return np.maximum(x, 0.0)
    if kind == "leaky_relu":
        return np.where(x > 0, x, alpha * x)
    if kind == "elu":
        return np.where(x > 0, x, alpha * np.expm1(negative))
    if kind == "selu":
        return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(negative))
    if kind == "gelu":
        return x * 0.5 * (1.0 + erf(x / math.sqrt(2.0)))
    if kind == "silu":
        return x * sigmoid(x)
    if kind == "mish":
        return x * np.tanh(softplus(x))
    if kind == "softplus":
        return softplus(x)
    if kind == "sigmoid":
        return sigmoid(x)
    if kind == "tanh":
        return np.tanh(x)
    raise KeyError(kind)


def activation_derivative(kind, x, alpha=0.0):
    """Return f'(x), elementwise; at the kink of a ReLU, the derivative from the left."""
    negative = np.minimum(x, 0.0)
    if kind == "relu":
        return np.where(x > 0, 1.0, 0.0)
    if kind == "leaky_relu":
        return np.where(x > 0, 1.0, alpha)
    if kind == "elu":
        return np.where(x > 0, 1.0, alpha * np.exp(negative))
    if kind == "selu":
        return SELU_SCALE * np.where(x > 0, 1.0, SELU_ALPHA * np.exp(negative))
    if kind == "gelu":
        density = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        return 0.5 * (1.0 + erf(x / math.sqrt(2.0))) + x * density
    if kind == "silu":
        s = sigmoid(x)
        return s + x * s * (1.0 - s)
    if kind == "mish":
        t = np.tanh(softplus(x))
        return t + x * (1.0 - t * t) * sigmoid(x)
    if kind == "softplus":
        return sigmoid(x)
    if kind == "sigmoid":
        s = sigmoid(x)
        return s * (1.0 - s)
    if kind == "tanh":
        return 1.0 - np.tanh(x) ** 2
    raise KeyError(kind)


def dropout(x, kept, p):
    """y = x kept / (1 - p); kept (N, D) is the 0/1 mask."""
    return x * kept / (1.0 - p)


def normalise(x, mean, var, eps):
    return (x - mean) / np.sqrt(var + eps)


def batchnorm(x, gamma, beta, eps=1e-5):
    """Normalise each column by its batch mean and biased variance, as in training."""
    return gamma * normalise(x, x.mean(axis=0), x.var(axis=0), eps) + beta


def batchnorm_backward(dy, x, gamma, eps=1e-5):
    """Return dx, dgamma, dbeta in training mode (Ioffe and Szegedy, 2015, section 3)."""
    inv_std = 1.0 / np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) * inv_std
    dx_hat = dy * gamma
    dx = inv_std * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def running(old, batch, momentum=0.9):
    """Return a running statistic of a BatchNorm after one more batch."""
    return momentum * old + (1.0 - momentum) * batch


def layernorm(x, gamma, beta, eps=1e-5):
    """Normalise each row by its own mean and biased variance (Ba, Kiros and Hinton, 2016)."""
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * normalise(x, mean, var, eps) + beta


def layernorm_backward(dy, x, gamma, eps=1e-5):
    """Return dx, dgamma, dbeta."""
    inv_std = 1.0 / np.sqrt(x.var(axis=1, keepdims=True) + eps)
    x_hat = (x - x.mean(axis=1, keepdims=True)) * inv_std
    dx_hat = dy * gamma
    along = (dx_hat * x_hat).mean(axis=1, keepdims=True)
    dx = inv_std * (dx_hat - dx_hat.mean(axis=1, keepdims=True) - x_hat * along)
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def rmsnorm(x, gamma, eps=1e-5):
    """Divide each row by its root mean square (Zhang and Sennrich, 2019)."""
    return gamma * x / np.sqrt((x**2).mean(axis=1, keepdims=True) + eps)


def rmsnorm_backward(dy, x, gamma, eps=1e-5):
    """Return dx, dgamma."""
    inv_rms = 1.0 / np.sqrt((x**2).mean(axis=1, keepdims=True) + eps)
    x_hat, dx_hat = x * inv_rms, dy * gamma
    dx = inv_rms * (dx_hat - x_hat * (dx_hat * x_hat).mean(axis=1, keepdims=True))
    return dx, (dy * x_hat).sum(axis=0)


def scale(x, factors):
    """Multiply each column by its factor."""
    return factors * x


def scale_backward(dy, x, factors):
    """Return dx, dfactors."""
    return dy * factors, (dy * x).sum(axis=0)


def mix(x, activated, mixing):
    """x + a (f(x) - x), given f(x) and a share a for each column."""
    return x + mixing * (activated - x)


def mix_backward(dy, x, activated, slope, mixing):
    """Return dx, dmixing, given f(x) and f'(x)."""
    return dy * (1.0 - mixing + mixing * slope), (dy * (activated - x)).sum(axis=0)


def embedding(x, table, n_codes):
    """Replace each of the last n_codes columns by the rows of the table that it names."""
    codes = x[:, x.shape[1] - n_codes :].astype(int)
    return np.concatenate([x[:, : x.shape[1] - n_codes], *(table[c] for c in codes.T)], axis=1)


def embedding_backward(dy, x, table, n_codes):
    """Return dx, which is 0 for codes, and dtable."""
    n_plain = x.shape[1] - n_codes
    dx, dtable = np.zeros_like(x), np.zeros_like(table)
    dx[:, :n_plain] = dy[:, :n_plain]
    for i, row in enumerate(x[:, n_plain:].astype(int)):
        for code, part in zip(row, dy[i, n_plain:].reshape(n_codes, -1), strict=True):
            dtable[code] += part
    return dx, dtable


def periodic(x, weight, n_waves, n_made):
    """Replace each of the first columns, one per row of the weight, by [W2' cos(...) + b2, x]."""
    parts = []
    for number, row in zip(x.T, weight, strict=False):
        w1, b1 = row[:n_waves], row[n_waves : 2 * n_waves]
        W2, b2 = row[2 * n_waves : -n_made].reshape(n_made, n_waves), row[-n_made:]
        waves = np.cos(2.0 * np.pi * np.outer(number, w1) + b1)
        parts += [waves @ W2.T + b2, number[:, None]]
    return np.concatenate([*parts, x[:, len(weight) :]], axis=1)


def periodic_backward(dy, x, weight, n_waves, n_made):
    """Return dx, dweight."""
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for j, row in enumerate(weight):
        w1, b1 = row[:n_waves], row[n_waves : 2 * n_waves]
        W2 = row[2 * n_waves : -n_made].reshape(n_made, n_waves)
        angle = 2.0 * np.pi * np.outer(x[:, j], w1) + b1
        g = dy[:, j * (n_made + 1) : (j + 1) * (n_made + 1)]
        pull = -np.sin(angle) * (g[:, :-1] @ W2)
        dx[:, j] = g[:, -1] + 2.0 * np.pi * pull @ w1
        dw1 = 2.0 * np.pi * (pull * x[:, j : j + 1]).sum(axis=0)
        dW2 = g[:, :-1].T @ np.cos(angle)
        dweight[j] = np.concatenate([dw1, pull.sum(axis=0), dW2.ravel(), g[:, :-1].sum(axis=0)])
    dx[:, len(weight) :] = dy[:, len(weight) * (n_made + 1) :]
    return dx, dweight


def members(x, weight, width):
    """Multiply x by each row of the weight (k, D), pad with zeros to the width, and join."""
    pad = np.zeros((len(x), width - x.shape[1]))
    return np.concatenate([part for r in weight for part in (x * r, pad)], axis=1)


def members_backward(dy, x, weight):
    """Return dx, dweight."""
    parts = [part[:, : x.shape[1]] for part in np.split(dy, len(weight), axis=1)]
    dx = sum(part * r for part, r in zip(parts, weight, strict=True))
    return dx, np.stack([(part * x).sum(axis=0) for part in parts])


def heads(x, weight, bias):
    """y_m = x_m W_m' + b_m for each member; x (N, k D), weight (k, C, D), bias (k C,)."""
    parts = zip(np.split(x, len(weight), axis=1), weight, strict=True)
    return np.concatenate([part @ w.T for part, w in parts], axis=1) + bias


def heads_backward(dy, x, weight):
    """Return dx, dweight, dbias."""
    dys, xs = (np.split(a, len(weight), axis=1) for a in (dy, x))
    dx = np.concatenate([g @ w for g, w in zip(dys, weight, strict=True)], axis=1)
    return dx, np.stack([g.T @ a for g, a in zip(dys, xs, strict=True)]), dy.sum(axis=0)


def shares_of_bins(x, edges):
    """Return how much of each bin lies below x (N,): (N, T) with T + 1 edges."""
    shares = (x[:, None] - edges[:-1]) / np.diff(edges)
    shares[:, 1:] = np.maximum(shares[:, 1:], 0.0)
    shares[:, :-1] = np.minimum(shares[:, :-1], 1.0)
    return shares


def piecewise(x, weight, edges, width):
    """Replace the first columns by w0 x + b0 + PLE(x) W; edges is a list with a row for each."""
    parts = []
    for number, row, own in zip(x.T, weight, edges, strict=False):
        W = row[2 * width :].reshape(-1, width)[: len(own) - 1]
        linear = np.outer(number, row[:width]) + row[width : 2 * width]
        parts.append(linear + shares_of_bins(number, own) @ W)
    return np.concatenate([*parts, x[:, len(weight) :]], axis=1)


def piecewise_backward(dy, x, weight, edges, width):
    """Return dx, dweight; at an edge, the derivative from below."""
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for j, (row, own) in enumerate(zip(weight, edges, strict=True)):
        n, g = len(own) - 1, dy[:, j * width : (j + 1) * width]
        W = row[2 * width :].reshape(-1, width)[:n]
        inside = (x[:, j, None] > own[:-1]) & (x[:, j, None] <= own[1:])
        if n:
            inside[:, 0] = x[:, j] <= (own[1] if n > 1 else np.inf)
            inside[:, -1] = x[:, j] > (own[-2] if n > 1 else -np.inf)
        dx[:, j] = g @ row[:width] + (inside / np.diff(own) * (g @ W.T)).sum(axis=1)
        dweight[j, :width] = x[:, j] @ g
        dweight[j, width : 2 * width] = g.sum(axis=0)
        dweight[j, 2 * width : (2 + n) * width] = (shares_of_bins(x[:, j], own).T @ g).ravel()
    dx[:, len(weight) :] = dy[:, len(weight) * width :]
    return dx, dweight


NORMALIZATIONS = {
    "batchnorm": (batchnorm, batchnorm_backward),
    "layernorm": (layernorm, layernorm_backward),
    "rmsnorm": (rmsnorm, rmsnorm_backward),
}
"""Forward and backward, by the layer's name in small letters. Parameters are gamma and beta."""


# --- losses ---------------------------------------------------------------------------------------


def softmax(z):
    """Return exp(z) / sum exp(z) for each row."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def row_losses(kind, z, t, parameter=0.0):
    """Return each row's loss (N,) and its gradient with respect to the row's outputs (N, C).

    z (N, C) are the outputs; t are labels (N,) for cross_entropy and hinge, else targets (N, C).
    parameter is the label smoothing, the delta of huber, or the quantile. At the kink of quantile
    the gradient is the one from the right; at the kink of mae it is 0.
    """
    N, C = z.shape
    rows = np.arange(N)
    if kind == "cross_entropy":
        target = np.full((N, C), parameter / C)
        target[rows, t] += 1.0 - parameter
        top = z.max(axis=1, keepdims=True)
        log_sum = top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))
        return (target * (log_sum - z)).sum(axis=1), softmax(z) - target
    if kind == "hinge":
        margin = z - z[rows, t][:, None] + 1.0
        margin[rows, t] = 0.0
        gradient = np.where(margin > 0, 1.0, 0.0)
        gradient[rows, t] = -gradient.sum(axis=1)
        return np.maximum(margin, 0.0).sum(axis=1), gradient
    if kind == "member_cross_entropy":  # parameter is the number of members
        k = int(parameter)
        of_members = [row_losses("cross_entropy", part, t) for part in np.split(z, k, axis=1)]
        values, gradients = zip(*of_members, strict=True)
        return sum(values) / k, np.concatenate(gradients, axis=1) / k
    error = z - t
    if kind == "mse":
        value, slope = error**2, 2.0 * error
    elif kind == "mae":
        value, slope = np.abs(error), np.sign(error)
    elif kind == "huber":
        inside = np.abs(error) <= parameter
        value = np.where(inside, 0.5 * error**2, parameter * (np.abs(error) - 0.5 * parameter))
        slope = np.where(inside, error, parameter * np.sign(error))
    elif kind == "log_cosh":
        value, slope = np.logaddexp(error, -error) - np.log(2.0), np.tanh(error)
    elif kind == "quantile":
        value = np.where(error < 0, -parameter * error, (1.0 - parameter) * error)
        slope = np.where(error < 0, -parameter, 1.0 - parameter)
    elif kind == "binary_cross_entropy":
        value, slope = softplus(z) - t * z, sigmoid(z) - t
    elif kind == "poisson":
        value, slope = np.exp(z) - t * z, np.exp(z) - t
    else:
        raise KeyError(kind)
    return value.mean(axis=1), slope / C


def loss(kind, z, t, weights=None, parameter=0.0):
    """Return sum_i w_i l_i / sum_i w_i over the rows, and its gradient with respect to z (N, C)."""
    w = np.ones(len(z)) if weights is None else weights
    values, gradients = row_losses(kind, z, t, parameter)
    return float((w * values).sum() / w.sum()), gradients * (w / w.sum())[:, None]


# --- optimizers -----------------------------------------------------------------------------------

RULES = {
    "sgd": {"lr": 0.05},
    "momentum": {"lr": 0.02, "beta1": 0.9},
    "nesterov": {"lr": 0.02, "beta1": 0.9},
    "rmsprop": {"lr": 0.002, "beta2": 0.9, "eps": 1e-2},
    "rmsprop_in_root": {"lr": 0.002, "beta2": 0.9, "eps": 1e-3},
    "adam": {"lr": 0.003, "eps": 1e-2},
    "adamw": {"lr": 0.003, "eps": 1e-2},
    "adagrad": {"lr": 0.02, "eps": 1e-2},
    "lion": {"lr": 0.002, "beta1": 0.9, "beta2": 0.98},
}
"""The numbers of every kind that the tests train with.

A large eps keeps a gradient that is only rounding from being a full step.
"""

STATES = {
    "sgd": (),
    "momentum": ("first",),
    "nesterov": ("first",),
    "rmsprop": ("second",),
    "rmsprop_in_root": ("second",),
    "adam": ("first", "second"),
    "adamw": ("first", "second"),
    "adagrad": ("second",),
    "lion": ("first",),
}
"""Which arrays every kind keeps in its state, in this order."""

DECOUPLED = ("adamw", "lion")
"""The kinds whose weight decay is no part of the gradient."""


def update(kind, w, g, state, *, t=1, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, decoupled=0.0):
    """Return the new weights, and store the new "first" and "second" arrays in the dict state.

    beta1 is the momentum, beta2 the decay of the mean square, t the number of this step, counting
    from 1, and decoupled the weight decay of a DECOUPLED kind. The caller adds that of others to g.
    """
    first = state.setdefault("first", np.zeros_like(w))
    second = state.setdefault("second", np.zeros_like(w))
    if kind == "sgd":
        return w - lr * g
    if kind in ("momentum", "nesterov"):
        state["first"] = v = beta1 * first - lr * g
        return w + v if kind == "momentum" else w + beta1 * v - lr * g
    if kind == "adagrad":
        state["second"] = c = second + g * g
        return w - lr * g / (np.sqrt(c) + eps)
    if kind == "lion":
        state["first"] = beta2 * first + (1.0 - beta2) * g
        return w - lr * (np.sign(beta1 * first + (1.0 - beta1) * g) + decoupled * w)
    state["second"] = c = beta2 * second + (1.0 - beta2) * g * g
    if kind == "rmsprop":
        return w - lr * g / (np.sqrt(c) + eps)
    if kind == "rmsprop_in_root":
        return w - lr * g / np.sqrt(c + eps)
    if kind in ("adam", "adamw"):
        state["first"] = m = beta1 * first + (1.0 - beta1) * g
        m_hat, c_hat = m / (1.0 - beta1**t), c / (1.0 - beta2**t)
        return w - lr * decoupled * w - lr * m_hat / (np.sqrt(c_hat) + eps)
    raise KeyError(kind)


def update_size(kind, g, pull, state, new, *, t, beta1, beta2, eps):
    """Return the size of the terms of an update, by which its rounding error is measured.

    pull is the size of the gradient's terms. state and new are the states before and after.
    """
    if kind in ("sgd", "momentum", "nesterov"):
        return pull + np.abs(state["first"])
    if kind == "lion":  # rounding may give a sum near 0 any sign
        total, terms = beta1 * state["first"] + (1 - beta1) * g, np.abs(state["first"]) + pull
        return np.where(np.abs(total) > 1e-5 * terms, 1.0, np.inf)
    floor = eps if kind != "rmsprop_in_root" else np.sqrt(eps)
    if kind in ("adam", "adamw"):
        top = (np.abs(state["first"]) + (1 - beta1) * pull) / (1 - beta1**t)
        return top / (np.sqrt(new["second"] / (1 - beta2**t)) + floor)
    return pull / (np.sqrt(new["second"]) + floor)


def clip_by_norm(gradients, limit):
    """Scale a list of arrays by the same factor so that their joint norm is at most limit."""
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    scale = min(1.0, limit / norm) if norm > 0 else 1.0
    return [g * scale for g in gradients], norm


def max_norm(weight, limit):
    """Scale each column of weight (D, H), a unit's incoming weights, to a norm of at most limit."""
    norm = np.sqrt((weight**2).sum(axis=0))
    return weight * np.where(norm > limit, limit / np.maximum(norm, 1e-300), 1.0)


# --- a whole network ------------------------------------------------------------------------------
#
# A network is a list of (kind, argument) pairs: ("linear", None), ("batchnorm", None),
# or another of NORMALIZATIONS, ("normalize", (mean, std)), or an activation's name with its alpha.
# Parameters are a dict "index.name" -> array.


def forward(network, params, x):
    """Return the outputs and the inputs of all layers, in training mode."""
    inputs = []
    for i, (kind, argument) in enumerate(network):
        inputs.append(x)
        if kind == "linear":
            x = affine(x, params[f"{i}.weight"], params.get(f"{i}.bias", 0.0))
        elif kind in NORMALIZATIONS:
            vectors = [f"{i}.{name}" for name in ("gamma", "beta")]
            x = NORMALIZATIONS[kind][0](x, *(params[name] for name in vectors if name in params))
        elif kind == "normalize":
            x = (x - argument[0]) / argument[1]
        elif kind == "scale":
            x = scale(x, params[f"{i}.scale"])
        else:
            x = activation(kind, x, argument)
    return x, inputs


def backward(network, params, inputs, dy):
    """Return the gradients by parameter name, and that with respect to the network's input."""
    grads = {}
    for i, (kind, argument) in reversed(list(enumerate(network))):
        x = inputs[i]
        if kind == "linear":
            dy, grads[f"{i}.weight"], dbias = affine_backward(dy, x, params[f"{i}.weight"])
            if f"{i}.bias" in params:
                grads[f"{i}.bias"] = dbias
        elif kind in NORMALIZATIONS:
            dy, *vectors = NORMALIZATIONS[kind][1](dy, x, params[f"{i}.gamma"])
            for name, gradient in zip(("gamma", "beta"), vectors, strict=False):
                grads[f"{i}.{name}"] = gradient
        elif kind == "normalize":
            dy = dy / argument[1]
        elif kind == "scale":
            dy, grads[f"{i}.scale"] = scale_backward(dy, x, params[f"{i}.scale"])
        else:
            dy = dy * activation_derivative(kind, x, argument)
    return grads, dy


def loss_and_grads(network, params, x, t, kind, *, weights=None, parameter=0.0, l2=0.0):
    """Return the loss, including 0.5 l2 sum(W W) of all weight matrices, and gradients by name."""
    z, inputs = forward(network, params, x)
    value, dz = loss(kind, z, t, weights, parameter)
    grads, _ = backward(network, params, inputs, dz)
    for name in grads:
        if name.endswith("weight"):
            value += 0.5 * l2 * (params[name] ** 2).sum()
            grads[name] = grads[name] + l2 * params[name]
    return float(value), grads


def train_step(
    network, params, state, x, t, loss_kind, rule, *, l2=0.0, weight_decay=0.0, **limits
):
    """Return the loss before a step and the parameters after it; state persists between steps.

    rule is a pair (kind, hyper-parameters) for `update`; limits are clip_norm and max_norm.
    """
    kind, hyper = rule
    value, grads = loss_and_grads(network, params, x, t, loss_kind, l2=l2)
    if limits.get("clip_norm") is not None:
        clipped, _ = clip_by_norm(list(grads.values()), limits["clip_norm"])
        grads = dict(zip(grads, clipped, strict=True))
    state["t"] = state.get("t", 0) + 1
    new = {}
    for name, w in params.items():
        is_weight = name.endswith("weight")
        g, decoupled = grads[name], 0.0
        if is_weight and kind in DECOUPLED:
            decoupled = weight_decay
        elif is_weight:
            g = g + weight_decay * w
        own = state.setdefault(name, {})
        new[name] = update(kind, w, g, own, t=state["t"], decoupled=decoupled, **hyper)
        if is_weight and limits.get("max_norm") is not None:
            new[name] = max_norm(new[name], limits["max_norm"])
    return value, new


# --- learning-rate schedules ----------------------------------------------------------------------


def step_rate(lr, every, factor, epoch):
    return lr * factor ** (epoch // every)


def exponential_rate(lr, decay, epoch):
    return lr * decay**epoch


def cosine_rate(lr, final, step, total_steps):
    """Half a cosine from lr to final (Loshchilov and Hutter, 2017, equation 5)."""
    return final + 0.5 * (lr - final) * (1.0 + math.cos(math.pi * step / total_steps))


def coslog4_rate(lr, step, total_steps):
    """Four cosine waves, each twice as long as the one before (Holzmueller et al., 2024)."""
    return lr * 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * step / total_steps)))


def flat_cos_rate(lr, step, total_steps):
    """lr in the first half, then half a cosine down to 0."""
    share = 2.0 * step / total_steps - 1.0
    return lr if share <= 0.0 else lr * 0.5 * (1.0 + math.cos(math.pi * share))


# --- numerical gradients --------------------------------------------------------------------------


def numerical_gradient(f, x):
    """Return central differences, in float64, of the scalar f at x, an array of any shape."""
    h = np.finfo(np.float64).eps ** (1 / 3)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = h * max(1.0, abs(x[index]))
        above, below = x.copy(), x.copy()
        above[index] += step
        below[index] -= step
        gradient[index] = (f(above) - f(below)) / (above[index] - below[index])
    return gradient
