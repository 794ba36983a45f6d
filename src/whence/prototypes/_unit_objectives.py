"""Objectives inside the model: a neuron, a channel, a layer, a direction of its features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._objective import Objective
from whence.prototypes._seen import Seen


@dataclass(frozen=True)
class AtModule(Objective):
    """What is read at one named module; `call` says which run of a module that is used again."""

    module: str

    @property
    def modules(self) -> tuple[str, ...]:
        return (self.module,)


@dataclass(frozen=True)
class Neuron(AtModule):
    """One element of a module's output: a_index.

    `index` is an int or a tuple that counts the axes behind the batch: 5 in a dense layer,
    (channel, row, column) in a convolution. Negative numbers count from the end.
    """

    index: int | tuple[int, ...]
    call: int | None = None

    def value(self, seen: Seen) -> Tensor:
        a = seen.at(self.module, self.call)
        index = self.index if isinstance(self.index, tuple) else (self.index,)
        if len(index) != a.dim() - 1:
            raise InvalidInput(
                f"A neuron of {self.module!r} has {a.dim() - 1} indices, one for each axis of "
                f"{tuple(a.shape[1:])}, got {index}. For a whole channel: Channel."
            )
        if any(not -size <= i < size for i, size in zip(index, a.shape[1:], strict=True)):
            raise InvalidInput(
                f"Neuron {index} is outside of {self.module!r}, whose output is "
                f"{tuple(a.shape[1:])} behind the batch."
            )
        return a[(slice(None), *index)]


@dataclass(frozen=True)
class Channel(AtModule):
    """The mean of a channel over its positions: mean_p a_{c,p}.

    `axis` is where the channels are: 1 in convolutions, -1 in layers on tokens.
    """

    channel: int
    axis: int = 1
    call: int | None = None

    def value(self, seen: Seen) -> Tensor:
        a = seen.at(self.module, self.call)
        if not -a.shape[self.axis] <= self.channel < a.shape[self.axis]:
            raise InvalidInput(
                f"Channels of {self.module!r} run from 0 to {a.shape[self.axis] - 1}, got "
                f"{self.channel}."
            )
        return a.select(self.axis, self.channel).reshape(len(a), -1).mean(1)


@dataclass(frozen=True)
class Layer(AtModule):
    """The mean square of a layer's output, whatever it finds there: mean a^2 [mordvintsev2015]."""

    call: int | None = None

    def value(self, seen: Seen) -> Tensor:
        return seen.at(self.module, self.call).flatten(1).square().mean(1)


@dataclass(frozen=True, eq=False)
class OfVector(AtModule):
    """A vector of features at a module: (channels,), compared at each position, or the whole
    output of one sample, compared at once."""

    vector: Tensor
    axis: int = 1
    call: int | None = None

    def features(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """a as (batch, positions, features), and the vector, (features,)."""
        a = seen.at(self.module, self.call)
        v = self.vector.detach().to(a)
        if v.shape == a.shape[1:]:
            return a.reshape(len(a), 1, -1), v.reshape(-1)
        if v.dim() != 1 or len(v) != a.shape[self.axis]:
            raise InvalidInput(
                f"The vector at {self.module!r} must have shape ({a.shape[self.axis]},), one "
                f"number for each channel, or {tuple(a.shape[1:])}; got {tuple(v.shape)}."
            )
        return a.movedim(self.axis, -1).reshape(len(a), -1, len(v)), v

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.module!r}, vector of {tuple(self.vector.shape)})"


@dataclass(frozen=True, eq=False, repr=False)
class Direction(OfVector):
    """How far the features go along a vector: mean_p <a_p, v>.

    Use it for a class direction, a principal component, the weights of a probe.
    """

    def value(self, seen: Seen) -> Tensor:
        a, v = self.features(seen)
        return (a @ v).mean(1)


@dataclass(frozen=True, eq=False, repr=False)
class Cosine(OfVector):
    """How well the features point along a vector, whatever their length: mean_p cos(a_p, v)."""

    def value(self, seen: Seen) -> Tensor:
        a, v = self.features(seen)
        return cosine(a, v).mean(1)


@dataclass(frozen=True, eq=False, repr=False)
class Concept(OfVector):
    """A concept vector: far along it and close to it, <a, v> max(floor, cos(a, v))^power.

    A plain `Direction` is often reached by features of many other concepts that happen to be
    large; the power of the cosine asks for this one [olah2017]. The vector may come from a linear
    probe, a mean difference, or a factorisation of activations. Positions are averaged before
    they are compared, so that one vector stands for a picture.
    """

    power: float = 2.0
    floor: float = 0.1

    def value(self, seen: Seen) -> Tensor:
        a, v = self.features(seen)
        mean = a.mean(1, keepdim=True)
        return ((mean @ v) * cosine(mean, v).clamp_min(self.floor) ** self.power)[:, 0]


def cosine(a: Tensor, v: Tensor) -> Tensor:
    """cos(a, v) over the last axis; 0, with gradient 0, where a vanishes."""
    square = a.square().sum(-1)
    length = torch.where(square > 0, square, 1).sqrt() * v.norm()
    return torch.where(square > 0, (a @ v) / length, 0)
