"""Recurrent cells with their gates held constant: what is left of each is linear.

One step of any cell is, in coefficients (R = a c),

    c_h = (from above) + s_next W_h                     at the hidden state h
    u   = (to_y c_h + kept_next y u_next) / y           at the sum y that the cell carries on
    s   = (to_z u + gate_to_z c_h) / z                  at z, what blocks of weights make

    LSTM   y = c = f c_before + i g    h = o tanh(y)    g = tanh(z)
    GRU    y = h = (1 - z) n + z h_before               n = tanh(x_n + r h_n)
    RNN    no sum carried on                            h = tanh(z) or relu(z)

A signal passes its tanh as an identity. In the half rule gates are blocks of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from whence.engine import Opened


class Share(NamedTuple):
    """The relevance that passes to z for each unit of a coefficient, and its limit over z at 0."""

    part: Tensor
    limit: Tensor


# (z, bias in z, share) -> the share over the denominator that the rule makes of z
Divide = Callable[[Tensor, Tensor | None, Share], Tensor]


@dataclass(frozen=True, eq=False)
class Cell:
    """The factors of one layer; (steps, directions, batch[, blocks], hidden)."""

    y: Tensor | None  # the sum that is carried on, if any
    to_y: Share | None
    kept: Tensor | None
    z: Tensor  # with an axis of blocks
    bias: Tensor | None  # what of z is bias
    to_z: Share
    gate_to_z: Share | None = None
    gain: Tensor | None = None  # of the recurrent weights, by block
    offset: Tensor | None = None  # times u: what the gates give without input, sigmoid(0)
    gate_offset: Tensor | None = None  # times c_h
    block: int | None = None  # the one block of the weights that takes part; None: all do


def cell_of(layer: Opened, *, half: bool, over: Divide) -> Cell:
    """The cell of an opened layer; `half` gives each factor of a product half."""
    if layer.kind == "lstm":
        return _half_lstm(layer) if half else _lstm(layer)
    if layer.kind == "gru":
        return _half_gru(layer, over) if half else _gru(layer)
    z = layer.sums()
    smooth = layer.kind == "rnn_tanh"
    share = Share(torch.tanh(z), torch.ones_like(z)) if smooth else Share(z.relu(), (z > 0).to(z))
    return Cell(None, None, None, _block(z), _bias(layer, None), _blocks(share))


def taking_part(weights: Tensor, gates: int, block: int | None) -> Tensor:
    """The rows of the weights that take part, (directions, rows, features)."""
    if block is None:
        return weights
    return weights.unflatten(1, (gates, -1))[:, block]


def _lstm(layer: Opened) -> Cell:
    z = layer.sums().unflatten(-1, (4, -1))
    i, f, _, o = torch.sigmoid(z).unbind(-2)  # all four at once: the third is not used
    z_g = z[..., 2, :]
    signal = i * torch.tanh(z_g)
    c, _ = _carried(layer, f, signal)
    to_y = Share(o * torch.tanh(c), o)
    bias = _bias(layer, 2)
    return Cell(c, to_y, f, _block(z_g), bias, _blocks(Share(signal, i)), block=2)


def _half_lstm(layer: Opened) -> Cell:
    z = layer.sums().unflatten(-1, (4, -1))
    z_i, z_f, z_g, z_o = z.unbind(-2)
    i, f, o, g = torch.sigmoid(z_i), torch.sigmoid(z_f), torch.sigmoid(z_o), torch.tanh(z_g)
    c, before = _carried(layer, f, i * g)
    tanh_c = torch.tanh(c)
    none = Share(torch.zeros_like(c), torch.zeros_like(c))
    through_sum = [_gate(z_i, g / 2), _gate(z_f, before / 2), Share(i * g / 2, i / 2), none]
    return Cell(
        c,
        Share(o * tanh_c / 2, o / 2),
        f / 2,
        z,
        _bias(layer, None),
        _stacked(through_sum),
        _stacked([none, none, none, _gate(z_o, tanh_c / 2)]),
        offset=(g + before) / 4,
        gate_offset=tanh_c / 4,
    )


def _gru(layer: Opened) -> Cell:
    _, z, z_n, r, _ = _gru_parts(layer)
    n = torch.tanh(z_n)
    y = (1 - z) * n + z * layer.h_before
    to_z = Share((1 - z) * n, 1 - z)
    bias = None
    if layer.b_x is not None and layer.b_h is not None:
        b_x, b_h = (each.unflatten(-1, (3, -1))[..., 2, :] for each in (layer.b_x, layer.b_h))
        bias = _block(b_x + r * b_h)
    share = Share(y, torch.ones_like(y))
    return Cell(y, share, z, _block(z_n), bias, _blocks(to_z), gain=_block(r), block=2)


def _half_gru(layer: Opened, over: Divide) -> Cell:
    (z_r, z_z), z, z_n, r, h_n = _gru_parts(layer)
    n, before = torch.tanh(z_n), layer.h_before
    y = (1 - z) * n + z * before
    gain = torch.stack([torch.ones_like(r), torch.ones_like(r), r / 2], -2)
    bias = None
    if layer.b_x is not None and layer.b_h is not None:
        bias = torch.stack(
            [
                b_x + factor * b_h
                for b_x, b_h, factor in zip(
                    layer.b_x.unflatten(-1, (3, -1)).unbind(-2),
                    layer.b_h.unflatten(-1, (3, -1)).unbind(-2),
                    gain.unbind(-2),
                    strict=True,
                )
            ],
            -2,
        )
    signal = Share((1 - z) * n / 2, (1 - z) / 2)
    s_n = over(z_n, None if bias is None else bias[..., 2, :], signal)
    to_r, to_z = s_n * h_n / 2, (before - n) / 2
    return Cell(
        y,
        Share(y, torch.ones_like(y)),
        z / 2,
        torch.stack([z_r, z_z, z_n], -2),
        bias,
        _stacked([_gate(z_r, to_r), _gate(z_z, to_z), signal]),
        gain=gain,
        # sigmoid(0) of both gates, and the 1 of 1 - z
        offset=to_r / 2 + to_z / 2 + n / 2,
    )


def _gru_parts(layer: Opened) -> tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor, Tensor]:
    """What the gates r and z were before, z, what n was before, r, and W_h h + b_h of n."""
    x_in, h_in = (each.unflatten(-1, (3, -1)) for each in layer.parts())
    z_r, z_z = (x_in[..., :2, :] + h_in[..., :2, :]).unbind(-2)
    r, z = torch.sigmoid(z_r), torch.sigmoid(z_z)
    h_n = h_in[..., 2, :]
    return (z_r, z_z), z, x_in[..., 2, :] + r * h_n, r, h_n


def _carried(layer: Opened, f: Tensor, added: Tensor) -> tuple[Tensor, Tensor]:
    """c_t = f_t c_{t-1} + added_t for all steps, and c_{t-1}."""
    assert layer.c_first is not None
    states = [layer.c_first]
    for factor, addend in zip(f.unbind(0), added.unbind(0), strict=True):
        states.append(torch.addcmul(addend, factor, states[-1]))
    whole = torch.stack(states)
    return whole[1:], whole[:-1]


def _gate(z: Tensor, c: Tensor) -> Share:
    """A gate that gets the coefficient c: sigmoid(z) - 1/2 of it passes, with slope 1/4 at 0."""
    return Share(c * torch.tanh(z / 2) / 2, c / 4)


def _bias(layer: Opened, block: int | None) -> Tensor | None:
    """b_x + b_h by block, or of one block."""
    if layer.b_x is None or layer.b_h is None:
        return None
    bias = (layer.b_x + layer.b_h).unflatten(-1, (layer.gates, -1))
    return bias if block is None else bias[..., block : block + 1, :]


def _block(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(-2)


def _blocks(share: Share) -> Share:
    return Share(_block(share.part), _block(share.limit))


def _stacked(shares: list[Share]) -> Share:
    parts, limits = zip(*shares, strict=True)
    return Share(torch.stack(parts, -2), torch.stack(limits, -2))
