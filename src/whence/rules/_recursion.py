"""The walk back over the steps of a recurrent layer: the only loop over time.

    c_h = above + s_next W_h
    u   = to_y c_h + kept u_next + given_y
    s   = through u + gate_through c_h + given_z

All factors are known before the loop, so one step is four small operations, for both directions
and the whole batch at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(eq=False)
class Recursion:
    """The factors of every step, (steps, directions, batch, ...), dampings included."""

    above: Tensor  # c_h from outside
    to_y: Tensor | None
    kept: Tensor | None  # of u of the step after, one step fewer
    through: Tensor  # (..., blocks, hidden)
    gate_through: Tensor | None
    gain: Tensor | None
    W_h: Tensor  # (directions, blocks * hidden, hidden)
    given_y: Tensor | None = None  # R / y that came as relevance
    given_z: Tensor | None = None
    out: Tensor | None = None  # (directions, projected, hidden): the projection, if any
    out_damp: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Spread:
    """A denominator: one over it or 0, what of it belongs to no unit, and where it is 0."""

    inverse: Tensor
    lost: Tensor
    empty: Tensor


@dataclass(eq=False)
class Walked:
    """What the walk found at every step: c_h (below a projection), u, and s at the blocks."""

    c_h: Tensor | None  # where gates take part
    u: Tensor
    s: Tensor  # (..., blocks, hidden)
    s_h: Tensor  # the same for the recurrent weights
    s_out: Tensor | None = None  # above a projection
    shares: Tensor | None = None  # handed out at z, to each unit below; (steps, .., 1)
    y_share: Tensor | None = None  # handed out at y in the first step


def walk(factors: Recursion) -> Walked:
    """From the last step to the first."""
    through = _times(factors.through, factors.gain)
    single = through.shape[-2] == 1
    rows = through.squeeze(-2) if single else through
    steps = [
        _unbound(each)
        for each in (factors.to_y, factors.kept, rows, factors.gate_through, factors.given_y)
    ]
    given_z = None if factors.given_z is None else factors.given_z.flatten(-2).unbind(0)
    to_y, kept, below, gate_below, given_y = steps
    above = factors.above.unbind(0)
    c_hs: list[Tensor] = []
    us: list[Tensor] = []
    s_outs: list[Tensor] = []
    u = s = None
    for t in reversed(range(len(above))):
        c_h = above[t] if s is None else torch.baddbmm(above[t], s, factors.W_h)
        if factors.out is not None:
            c_h = c_h if factors.out_damp is None else c_h * factors.out_damp[t]
            s_outs.append(c_h)
            c_h = torch.bmm(c_h, factors.out)
        before, u = u, c_h
        if to_y is not None:
            u = c_h * to_y[t] if given_y is None else torch.addcmul(given_y[t], c_h, to_y[t])
        if kept is not None and before is not None:
            u = torch.addcmul(u, before, kept[t])
        assert below is not None
        s = u * below[t] if single else u.unsqueeze(-2) * below[t]
        if gate_below is not None:
            s = torch.addcmul(s, c_h.unsqueeze(-2), gate_below[t])
        s = s if single else s.flatten(-2)
        s = s if given_z is None else s + given_z[t]
        us.append(u)
        if gate_below is not None:
            c_hs.append(c_h)
    found = [torch.stack(each[::-1]) if each else None for each in (c_hs, us, s_outs)]
    return _collected(factors, *found)


def walk_handing_out(factors: Recursion, at_y: Spread | None, at_z: Spread, units: int) -> Walked:
    """The same, and what bias and stabiliser would keep goes to all units below in equal shares.

    at_y and at_z: the denominators. units: how many units lie below z. A share is one number for
    each sample and step.
    """
    hidden = factors.through.shape[-1]
    share = factors.above.new_zeros(*factors.above.shape[1:3], 1)
    us: list[Tensor] = []
    ss: list[Tensor] = []
    shares: list[Tensor] = []
    y_share = share
    s_h = torch.zeros_like(factors.through[0].flatten(-2))
    for t in reversed(range(len(factors.above))):
        u = torch.baddbmm(factors.above[t], s_h, factors.W_h)
        y_share = share
        if at_y is not None:
            assert factors.to_y is not None
            u = u * factors.to_y[t] + share * at_y.inverse[t]
            u = u if factors.given_y is None else u + factors.given_y[t]
            if us and factors.kept is not None:
                u = u + us[-1] * factors.kept[t]
            kept = u * at_y.lost[t] + share * at_y.empty[t]
            y_share = kept.sum(-1, keepdim=True) / (2 * hidden)
        block_share = y_share.unsqueeze(-2)
        s = u.unsqueeze(-2) * factors.through[t] + block_share * at_z.inverse[t]
        s = s if factors.given_z is None else s + factors.given_z[t]
        kept = s * at_z.lost[t] + block_share * at_z.empty[t]
        z_share = kept.sum((-1, -2)).unsqueeze(-1) / units
        share = z_share if at_y is None else y_share + z_share
        s_h = _times(s, None if factors.gain is None else factors.gain[t]).flatten(-2)
        for found, each in ((us, u), (ss, s), (shares, z_share)):
            found.append(each)
    s = torch.stack(ss[::-1])
    return Walked(
        None,
        torch.stack(us[::-1]),
        s,
        _times(s, factors.gain),
        shares=torch.stack(shares[::-1]),
        y_share=None if at_y is None else y_share,
    )


def _collected(
    factors: Recursion, c_h: Tensor | None, u: Tensor | None, s_out: Tensor | None
) -> Walked:
    assert u is not None
    s = u.unsqueeze(-2) * factors.through
    if factors.gate_through is not None and c_h is not None:
        s = torch.addcmul(s, c_h.unsqueeze(-2), factors.gate_through)
    s = s if factors.given_z is None else s + factors.given_z
    return Walked(c_h, u, s, _times(s, factors.gain), s_out)


def _times(tensor: Tensor, gain: Tensor | None) -> Tensor:
    return tensor if gain is None else tensor * gain


def _unbound(tensor: Tensor | None) -> tuple[Tensor, ...] | None:
    return None if tensor is None else tensor.unbind(0)
