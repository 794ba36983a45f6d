"""The nearest point where a score is zero: projected steps with line search, from several starts.

    min ||x - y||   such that  f(y) = 0  and  low <= y <= high

With s = sign f(x) it is the nearest point of {s f <= 0}. Each step projects x onto what the slopes
seen so far allow (half-spaces and the box), and asks on the ray from x through that point, and
through points between it and the present root, whether f has changed its sign just inside the
present distance. If so, bisection on the ray gives a nearer root; distance only ever falls. If not,
the slope there is one more half-space: roots on a kink of f need two.

No search is sure to find the nearest root of a net: its regions are too many. What comes back is a
root, no farther than the one on the segment to the base point.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from whence.explainers._roots import Surface, along, first_crossing, narrow

Box = tuple[Tensor, Tensor] | None

_SHARES = (0.5, 0.2, 0.05, 0.01)  # of the step from the present root to the projection
_PLANES = 5
_FAILURES = 4
_PATIENCE = 5
_COARSE = 6  # steps of the line search on the way; the last root gets as many as it needs
_NEWTON = 6
_PROGRESS = 1e-6  # a step that brings the root less near than this is a failure
_SCAN = 8  # points at which a start looks for a change of sign
_CYCLES = 50


@dataclass(eq=False)
class _Search:
    """What is searched, and the present root of each start: a ray from x, and the bracket on it."""

    surface: Surface
    x: Tensor  # (1, batch, values)
    first: Tensor  # f(x), (1, batch)
    box: Box
    end: Tensor  # (starts, batch, values): the ray runs from x to here
    below: Tensor  # (starts, batch): t where f still has the sign of f(x)
    above: Tensor
    length: Tensor  # ||end - x||
    active: Tensor
    failures: Tensor  # steps since the last nearer root
    planes: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def radius(self) -> Tensor:
        """The distance of the root; infinite where there is none."""
        return self.above * self.length


def nearest_root(
    surface: Surface, x: Tensor, base: Tensor, box: Box, effort: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The nearest root found (batch, values), and whether there is one; x and base (1, batch, ..).

    effort: how many steps, and how many random directions beside the slopes to start from.

    Without a root the point with the smallest |f| on the segment to the base comes back.
    """
    first = surface.value(x)
    ends = _ends(surface, x, base, box, effort[1])
    crossing = first_crossing(surface, x.expand_as(ends), ends, _SCAN, _COARSE)
    length = (ends - x).norm(dim=-1).double()
    length = torch.where(crossing.found, length, torch.inf)
    active = crossing.found & (first != 0)
    bracket = crossing.below, crossing.above
    search = _Search(surface, x, first, box, ends, *bracket, length, active, active * 0)
    for step in range(effort[0]):
        if not bool(search.active.any()):
            break
        _step(search)
        if step >= _PATIENCE:  # starts that are far behind the best are given up
            search.active &= search.radius <= 1.1 * search.radius.amin(0)
    best = torch.where(crossing.found, search.radius, torch.inf).argmin(0, keepdim=True)
    end = search.end.gather(0, best[..., None].expand(-1, -1, x.shape[-1]))
    bracket = search.below.gather(0, best), search.above.gather(0, best)
    t = narrow(surface, (x, end), bracket, first)[0]
    return along(x, end, t)[0], crossing.found.any(0)


def _ends(surface: Surface, x: Tensor, base: Tensor, box: Box, starts: int) -> Tensor:
    """Where rays from x lead: to the base, along slopes seen on the way there, and anywhere."""
    sign = surface.value(x).sign()
    ends = [base]
    reach = (x - base).norm(dim=-1)
    for share in (0.0, 0.5, 0.95):
        point = x + share * (base - x)
        for _ in range(_NEWTON):
            point = _project(x, [_plane(surface, point, sign)], box)
        ends.append(_outwards(x, point, 1.5 * (point - x).norm(dim=-1), box))
    generator = torch.Generator().manual_seed(0)  # the same ways for all samples
    for pair in range(starts // 2):
        way = torch.randn(x.shape[-1], generator=generator, dtype=torch.float64).to(x)
        for each in (way, -way):
            ends.append(_outwards(x, x + each, (2, 8)[pair % 2] * reach, box))
    return torch.cat(ends)


def _step(search: _Search) -> None:
    """One step of all starts: a nearer root, or one more half-space."""
    surface, x, first, box = search.surface, search.x, search.first, search.box
    sign, margin = first.sign(), 30 * torch.finfo(x.dtype).eps
    root = along(x.expand_as(search.end), search.end, search.below)
    aim = _project(x.expand_as(root), [_plane(surface, root, sign), *search.planes], box)
    search.active &= (aim - x).norm(dim=-1).double() < search.radius * (1 - 10 * margin)
    pending, before = search.active.clone(), search.radius
    beyond = _plane(surface, aim, sign)
    corrected = _project(x.expand_as(root), [beyond], box)
    for way in (aim, corrected, *(root + share * (aim - root) for share in _SHARES)):
        if not bool(pending.any()):
            break
        end = _outwards(x, way, search.radius * (1 - margin), box)
        crosses = pending & (surface.value(end) * sign <= 0)
        if bool(crosses.any()):
            _turn(search, end, crosses)
        pending &= ~crosses
    moved = search.active & (search.radius < before * (1 - _PROGRESS))
    search.failures = torch.where(moved, 0, search.failures + 1)
    search.active &= search.failures < _FAILURES
    # A half-space that the present root is not in was wrong. Half of the starts keep the others,
    # which helps where f is curved; half forget on leaving a root, which helps among many kinks.
    root = along(x.expand_as(root), search.end, search.above)
    odd = (torch.arange(len(root), device=x.device) % 2 == 1)[:, None]
    search.planes = [
        (A, torch.where(((A * root).sum(-1) > b) | (moved & odd), torch.inf, b))
        for A, b in [*search.planes, beyond][1 - _PLANES :]
    ]


def _turn(search: _Search, end: Tensor, rows: Tensor) -> None:
    """Take the first root on the rays to `end`, for some rows."""
    below, above = torch.zeros_like(search.below), rows.to(search.above)
    below, above = narrow(search.surface, (search.x, end), (below, above), search.first, _COARSE)
    search.end = torch.where(rows[..., None], end, search.end)
    search.below = torch.where(rows, below, search.below)
    search.above = torch.where(rows, above, search.above)
    search.length = torch.where(rows, (end - search.x).norm(dim=-1).double(), search.length)


def _plane(surface: Surface, at: Tensor, sign: Tensor) -> tuple[Tensor, Tensor]:
    """The half-space A z <= b where the tangent of s f at a point is at most zero."""
    value, slope = surface.slope(at)
    A = sign[..., None] * slope
    return A, (A * at).sum(-1) - sign * value


def _project(x: Tensor, planes: list[tuple[Tensor, Tensor]], box: Box) -> Tensor:
    """The point nearest to x in all half-spaces and the box (Dykstra's alternating projections)."""
    z, outside = x, torch.zeros_like(x)
    moves = [torch.zeros_like(x[..., :1]) for _ in planes]
    sizes = [
        A.square().sum(-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny) for A, _ in planes
    ]
    alone = len(planes) == 1 and box is None
    enough = 0.1 * torch.finfo(x.dtype).eps ** 0.5
    for _ in range(1 if alone else _CYCLES):
        before = z
        for k, (A, b) in enumerate(planes):
            v = z + moves[k] * A
            over = ((A * v).sum(-1, keepdim=True) - b[..., None]).clamp(min=0) / sizes[k]
            z, moves[k] = v - over * A, over
        if box is not None:
            v = z + outside
            z = v.clamp(*box)
            outside = v - z
        if bool((z - before).abs().amax() <= enough * z.abs().amax()):
            break
    return z


def _outwards(x: Tensor, through: Tensor, radius: Tensor, box: Box) -> Tensor:
    """The point at a distance on the ray from x, or where the ray leaves the box."""
    way = through - x
    tiny = torch.finfo(x.dtype).tiny
    factor = (radius.to(x.dtype) / way.norm(dim=-1).clamp(min=tiny))[..., None]
    if box is not None:
        room = torch.where(way > 0, box[1] - x, box[0] - x)
        exit_at = torch.where(way == 0, torch.inf, room / torch.where(way == 0, 1, way))
        factor = torch.minimum(factor, exit_at.amin(-1, keepdim=True).clamp(min=0))
    factor = torch.where(factor.isfinite(), factor, 1)
    point = x + factor * way
    return point if box is None else point.clamp(*box)
