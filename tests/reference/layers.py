"""Activations and layers, forward and backward."""

import math

import numpy as np

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946

erf = np.vectorize(math.erf, otypes=[np.float64])


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
