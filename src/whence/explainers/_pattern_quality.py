"""How well a pattern tells signal from distractor: rho, measured on held-out data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.engine import Constants, Op, clear, paused_collection, record
from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.explainers._pattern_fit import batches_of, places_of
from whence.explainers._pattern_layers import check_supported, flat, rows_of
from whence.explainers._patterns import Patterns, check_model

_RIDGE = 1e-4  # of the mean variance of the distractor: directions below it are noise


@dataclass(frozen=True, eq=False)
class PatternQuality:
    """rho by estimator and layer, one number for each neuron that was measured; NaN where a
    neuron's output does not vary.

    `str()` is a table of means over neurons.
    """

    values: Mapping[str, Mapping[str, Tensor]]

    def mean(self, estimator: str) -> dict[str, float]:
        """The mean over neurons, for each layer."""
        return {name: float(each.nanmean()) for name, each in self.values[estimator].items()}

    def __str__(self) -> str:
        means = {name: self.mean(name) for name in self.values}
        layers = list(next(iter(means.values())))
        wide = max(map(len, ["layer", *layers]))
        lines = ["layer".ljust(wide) + "".join(f"{name:>15}" for name in means)]
        for layer in layers:
            lines.append(layer.ljust(wide) + "".join(f"{m[layer]:15.3f}" for m in means.values()))
        return "\n".join(lines)


def pattern_quality(
    model: Callable[..., Any],
    patterns: Patterns | Sequence[Patterns],
    data: Any,
    held_out: Any,
    *,
    neurons: int = 16,
    batch_size: int = 64,
    seed: int = 0,
) -> PatternQuality:
    """The quality of signal estimators: is the neuron's output still in what they leave over?

        rho(S) = 1 - max_v corr(w^T x, v^T (x - S(x)))

    A good estimator S takes the whole signal out of the input x, so that no direction v of the rest
    tells the output; rho is 1 then, and 0 where the rest tells all. v is the least-squares solution
    on `data`, the correlation is that on `held_out`. Neither may be the data of the patterns' fit:
    on those the rest of a linear pattern is uncorrelated with the output by construction.

    Measured are the given patterns (S = a y, with the patterns of both signs of y), the "filter"
    S = w y / ||w||², which is what a gradient shows, and a "random" direction, both scaled so that
    w^T S = y. The identity S = x leaves nothing and has rho = 1 by definition: rho cannot tell that
    it takes the distractor for signal, and it is not in the table.

    neurons: at most so many in each layer, spread evenly. Unlike the paper, v is regularised by
    1e-4 of the mean variance, and all places of a convolution count.

    References: [kindermans2018, sec. 3].
    """
    given = [patterns] if isinstance(patterns, Patterns) else list(patterns)
    for each in given:
        check_model(each, model)
    fitted = _Collected.over(model, batches_of(data, batch_size), neurons)
    tested = _Collected.over(model, batches_of(held_out, batch_size), neurons)
    generator = torch.Generator().manual_seed(seed)
    values: dict[str, dict[str, Tensor]] = {}
    for name, joint in fitted.layers.items():
        if name not in tested.layers:
            raise InvalidInput(f"{name} runs on the data, but not on the held-out ones.")
        neuronwise = list(zip(joint.of_neurons(), tested.layers[name].of_neurons(), strict=True))
        for label, pair in _candidates(joint, name, given, generator).items():
            found = [
                _rho(*both, opened, closed)
                for both, opened, closed in zip(neuronwise, *pair, strict=True)
            ]
            values.setdefault(label, {})[name] = torch.stack(found)
    return PatternQuality(values)


@dataclass
class _Joint:
    """Covariances of (x, max(y, 0), min(y, 0)) for the chosen neurons of a layer.

    groups: one for each group of channels, with x once and both parts of all its neurons' y.
    """

    kind: str  # the operation's name, which says how its weights lie
    chosen: list[int]
    weights: list[Tensor]
    members: list[list[int]]  # by group, positions in `chosen`
    groups: list["_Covariance"]

    def of_neurons(self) -> list["_Covariance"]:
        """(x, max(y, 0), min(y, 0)) of each chosen neuron, in their order."""
        found: dict[int, _Covariance] = {}
        for members, whole in zip(self.members, self.groups, strict=True):
            inputs = len(whole.mean) - 2 * len(members)
            for number, position in enumerate(members):
                parts = [inputs + number, inputs + len(members) + number]
                found[position] = whole.part([*range(inputs), *parts])
        return [found[position] for position in range(len(self.chosen))]


@dataclass
class _Covariance:
    """Number, mean and summed products of deviations of some vectors."""

    count: int
    mean: Tensor
    products: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> "_Covariance":
        mean = rows.mean(0)
        centred = rows - mean
        return cls(len(rows), mean, centred.mT @ centred)

    def plus(self, other: "_Covariance") -> "_Covariance":
        count = self.count + other.count
        d = other.mean - self.mean
        products = self.products + other.products
        products = products + torch.outer(d, d) * (self.count * other.count / count)
        return _Covariance(count, self.mean + d * (other.count / count), products)

    def part(self, numbers: list[int]) -> "_Covariance":
        """Of some of the entries."""
        chosen = torch.tensor(numbers, device=self.mean.device)
        products = self.products.index_select(0, chosen).index_select(1, chosen)
        return _Covariance(self.count, self.mean[chosen], products)


@dataclass
class _Collected:
    """The joint covariances of all layers over some data."""

    layers: dict[str, _Joint]

    @classmethod
    def over(cls, model: Callable[..., Any], batches: Any, neurons: int) -> "_Collected":
        found = cls({})
        constants = Constants()
        for batch in batches:
            given = Inputs.of(batch)
            with torch.no_grad(), paused_collection():
                tape = record(model, given.args, given.kwargs, given.leaves, constants=constants)
                for name, op in places_of(tape).items():
                    if op.nature == "linear":
                        check_supported(op)
                        found._add(name, op, neurons)
                clear(tape)
        if not found.layers:
            raise InvalidInput("rho needs data and held_out data, got none.")
        return found

    def _add(self, name: str, op: Op, neurons: int) -> None:
        for rows in rows_of(op):
            count, groups = rows.y.shape[1], rows.x.shape[1]
            most = min(neurons, count)
            chosen = [number * count // most for number in range(most)]
            of_group = [neuron * groups // count for neuron in chosen]
            members = [
                [place for place, each in enumerate(of_group) if each == group]
                for group in dict.fromkeys(of_group)
            ]
            found = []
            for group in members:
                y = rows.output[:, [chosen[place] for place in group]]
                x = rows.x[:, of_group[group[0]]] + rows.mean[of_group[group[0]]]
                found.append(_Covariance.of(torch.cat([x, y.clamp(min=0), y.clamp(max=0)], 1)))
            known = self.layers.get(name)
            if known is None:
                weights = [rows.W[neuron] for neuron in chosen]
                self.layers[name] = _Joint(op.name, chosen, weights, members, found)
            else:
                pairs = zip(known.groups, found, strict=True)
                known.groups = [before.plus(more) for before, more in pairs]


def _candidates(
    joint: _Joint, name: str, given: Sequence[Patterns], generator: torch.Generator
) -> dict[str, tuple[list[Tensor], list[Tensor]]]:
    """Each estimator's patterns for y > 0 and for y <= 0, one for each neuron."""
    filters = [w / w.square().sum().clamp(min=torch.finfo(w.dtype).tiny) for w in joint.weights]
    drawn = [torch.randn(w.shape, generator=generator, dtype=w.dtype) for w in joint.weights]
    noise = [r.to(w) / torch.dot(r.to(w), w) for r, w in zip(drawn, joint.weights, strict=True)]
    found = {"random": (noise, noise), "filter": (filters, filters)}
    for each in given:
        own = each.layers.get(name)
        if own is None:
            raise InvalidInput(f"No pattern {name!r}; there are {', '.join(each.layers)}.")
        both = [one for one in (own.signal, own.closed) if one is not None]
        pair = [[*flat(joint.kind, one).double()[joint.chosen]] for one in both]
        found[each.estimator] = (pair[0], pair[-1])
    return found


def _rho(fitted: _Covariance, tested: _Covariance, opened: Tensor, closed: Tensor) -> Tensor:
    """1 - corr of y with the best direction of the distractor."""
    A = torch.stack([opened, closed], 1)
    G, c, _ = _distractor(fitted, A)
    size = G.diagonal().mean()
    if not bool(size > 0):
        return G.new_ones(())
    factor = torch.linalg.cholesky(G + _RIDGE * size * torch.eye(len(G)).to(G))
    v = torch.cholesky_solve(c[:, None], factor)[:, 0]
    G, c, yy = _distractor(tested, A)
    spread = (v @ G @ v * yy).clamp(min=0).sqrt()
    if not bool(yy > 0):
        return G.new_full((), float("nan"))
    return 1 - (v @ c / spread).clamp(min=0) if bool(spread > 0) else G.new_ones(())


def _distractor(joint: _Covariance, A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Covariances of d = x - A (y+, y-): of d, of d with y, of y."""
    C, inputs = joint.products / joint.count, len(A)
    xx, xy, yy = C[:inputs, :inputs], C[:inputs, inputs:], C[inputs:, inputs:]
    cross = xy @ A.mT
    G = xx - cross - cross.mT + A @ yy @ A.mT
    return G, (xy - A @ yy).sum(1), yy.sum()
