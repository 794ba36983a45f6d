"""Patterns and the ways back along them, written slowly from the paper, one patch at a time.

A layer is a dictionary: `kind` "dense" or "conv" with W, b, and for convolutions stride, padding,
dilation, groups; "relu", "max" (pooling of 2 x 2) and "flatten". `gated` says that a ReLU reads it.
"""

import itertools

import numpy as np


def connections(layer: dict, shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    """Which kernel element joins each output with each input, -1 for none: (outputs, inputs)."""
    W = layer["W"]
    if layer["kind"] == "dense":
        return np.tile(np.arange(W.shape[1]), (len(W), 1)), (len(W),)
    stride, pad, gap, groups = (layer[key] for key in ("stride", "padding", "dilation", "groups"))
    channels, height, width = shape
    k = W.shape[2:]
    out = [(n + 2 * pad - gap * (size - 1) - 1) // stride + 1
           for n, size in zip((height, width), k, strict=True)]  # fmt: skip
    found = np.full((len(W), *out, channels, height, width), -1)
    own = W.shape[1]
    places = itertools.product(range(len(W)), range(out[0]), range(out[1]))
    for (o, p, q), c, i, j in itertools.product(places, range(own), range(k[0]), range(k[1])):
        row, column = p * stride - pad + i * gap, q * stride - pad + j * gap
        if 0 <= row < height and 0 <= column < width:
            channel = o // (len(W) // groups) * own + c
            found[o, p, q, channel, row, column] = (c * k[0] + i) * k[1] + j
    return found.reshape(len(W) * out[0] * out[1], -1), (len(W), *out)


def spread(kernels: np.ndarray, joined: np.ndarray) -> np.ndarray:
    """Kernels (neurons, fan-in) as one matrix (outputs, inputs)."""
    places = len(joined) // len(kernels)
    rows = np.repeat(kernels, places, 0)
    return np.where(joined >= 0, np.take_along_axis(rows, joined.clip(0), 1), 0.0)


def forward(net: list[dict], x: np.ndarray) -> list[np.ndarray]:
    """The activations of one sample before each layer, and the output."""
    seen = [x]
    for layer in net:
        x = seen[-1]
        if layer["kind"] == "relu":
            x = np.maximum(x, 0)
        elif layer["kind"] == "flatten":
            x = x.reshape(-1)
        elif layer["kind"] == "max":
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max((2, 4))
        else:
            joined, shape = connections(layer, x.shape)
            M = spread(layer["W"].reshape(len(layer["W"]), -1), joined)
            b = np.repeat(layer["b"], len(M) // len(layer["W"]))
            x = (M @ x.reshape(-1) + b).reshape(shape)
        seen.append(x)
    return seen


def samples(net: list[dict], number: int, data: np.ndarray) -> list[list[tuple]]:
    """For each neuron of a layer all pairs (what it reads, its output without bias)."""
    layer = net[number]
    W = layer["W"].reshape(len(layer["W"]), -1)
    found: list[list[tuple]] = [[] for _ in W]
    for x in data:
        a = forward(net, x)[number]
        joined, _ = connections(layer, a.shape)
        places = len(joined) // len(W)
        for output, links in enumerate(joined):
            patch = np.zeros(W.shape[1])
            patch[links[links >= 0]] = a.reshape(-1)[links >= 0]
            found[output // places].append((patch, W[output // places] @ patch))
    return found


def pattern(net: list[dict], number: int, data: np.ndarray, estimator: str) -> np.ndarray:
    """The patterns of a layer, (neurons, fan-in)."""
    layer = net[number]
    W = layer["W"].reshape(len(layer["W"]), -1)
    found = []
    for w, pairs in zip(W, samples(net, number, data), strict=True):
        x, y = (np.array(each) for each in zip(*pairs, strict=True))
        on = y > 0 if layer["gated"] and estimator != "linear" else np.full(len(y), True)
        own = y[on].mean() if on.any() else 0.0
        expected = y.mean() if estimator == "two-component" else own
        if not on.any():
            found.append(0 * w)
            continue
        above = (x[on] * y[on, None]).mean(0) - x[on].mean(0) * expected
        found.append(above / (w @ above) if abs(w @ above) > 1e-12 else 0 * w)
    return np.array(found)


def back(
    net: list[dict], patterns: dict[int, np.ndarray], x: np.ndarray, target: int, attribute: bool
) -> np.ndarray:
    """The signal (weights times pattern if `attribute`) from one output back to the input."""
    seen = forward(net, x)
    s = np.where(np.arange(len(seen[-1])) == target, seen[-1], 0.0)
    for number in reversed(range(len(net))):
        layer, a, z = net[number], seen[number], seen[number + 1]
        if layer["kind"] == "relu":
            s = s * (z > 0)
        elif layer["kind"] == "flatten":
            s = s.reshape(a.shape)
        elif layer["kind"] == "max":
            wide = np.kron(z, np.ones((1, 2, 2)))
            s = np.where(a == wide, np.kron(s, np.ones((1, 2, 2))), 0.0)
        else:
            kernels = patterns[number]
            if attribute:
                kernels = kernels * layer["W"].reshape(kernels.shape)
            joined, _ = connections(layer, a.shape)
            s = (spread(kernels, joined).T @ s.reshape(-1)).reshape(a.shape)
    return s
