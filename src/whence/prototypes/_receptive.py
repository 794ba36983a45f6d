"""The receptive field of a unit: the part of the input that it can see, exactly."""

import difflib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whence._reach import Follower, Reach, plain_kernels, spatial_axes
from whence.errors import InvalidInput
from whence.prototypes._lens import Watch


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What each unit of a module can see of the input, by arithmetic.

    Kernels, strides, padding, dilation, pooling and resizing are followed through every operation
    of the model; where branches meet, the field is the hull of theirs. It is cut off at the border
    of the input. A weight of zero counts as any other.

    - `axes`: the followed axes of the input, counted with the batch axis.
    - `shape`: of one input, without the batch.
    - `low`, `high`: the first and the last coordinate that each unit sees, int64 of shape
      (axes, *output of the module for one sample); low > high where a unit sees nothing.
    """

    module: str
    axes: tuple[int, ...]
    shape: tuple[int, ...]
    low: Tensor
    high: Tensor

    @property
    def size(self) -> tuple[int, ...]:
        """The largest extent among the units, along each axis."""
        return Reach(self.low, self.high).size

    def box(self, unit: tuple[int, ...]) -> tuple[slice, ...]:
        """What one unit sees, as slices of the followed axes; `unit` is its index in the module's
        output, without the batch: (channel, row, column)."""
        if len(unit) != self.low.dim() - 1:
            raise InvalidInput(
                f"A unit of {self.module!r} has {self.low.dim() - 1} indices, one for each axis of "
                f"{tuple(self.low.shape[1:])}, got {unit}."
            )
        low, high = self.low[(slice(None), *unit)], self.high[(slice(None), *unit)]
        return tuple(slice(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True))

    def crop(self, sample: Tensor, unit: tuple[int, ...]) -> Tensor:
        """The part of one sample, without the batch axis, that a unit sees."""
        if tuple(sample.shape) != self.shape:
            raise InvalidInput(
                f"The field belongs to inputs of shape {self.shape}, got {tuple(sample.shape)}."
            )
        cut = [slice(None)] * sample.dim()
        for axis, part in zip(self.axes, self.box(unit), strict=True):
            cut[axis - 1] = part
        return sample[tuple(cut)]

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.size))
        whole = " x ".join(str(self.shape[axis - 1]) for axis in self.axes)
        return f"ReceptiveField({self.module!r}, {size} of {whole})"


def receptive_field(
    model: nn.Module, inputs: Tensor, module: str, *, axes: tuple[int, ...] | None = None
) -> ReceptiveField:
    """What the units of a named module see of the input.

    Use it to cut out the patch that makes a unit fire, or to check that a layer can see as much as
    the task needs.

    - `inputs`: one batch, of which the first sample is run; fields depend on its shape, not on its
      values, unless the model decides by them which way to go.
    - `axes`: the axes to follow; by default those behind batch and channels, or the last of two.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2))
    >>> receptive_field(net, torch.zeros(1, 1, 8, 8), "1").box((0, 1, 2))
    (slice(2, 6, None), slice(4, 8, None))
    """
    if not isinstance(inputs, Tensor) or inputs.dim() < 2 or not len(inputs):
        raise InvalidInput("receptive_field needs inputs with a batch axis, (batch, ...).")
    leaf = inputs[:1].detach().clone()
    followed = spatial_axes(leaf) if axes is None else axes
    following = Follower(leaf, followed)
    with plain_kernels(), following:
        made = output_of(model, leaf, module)
    reach = following.reach(made)
    return ReceptiveField(
        module=module,
        axes=followed,
        shape=tuple(leaf.shape[1:]),
        low=reach.low[:, 0],
        high=reach.high[:, 0],
    )


def output_of(model: nn.Module, inputs: Tensor, module: str) -> Tensor:
    """What a named module returned while the model ran on the inputs, without gradients."""
    names = [name for name, _ in model.named_modules()] if isinstance(model, nn.Module) else []
    if module not in names:
        close = difflib.get_close_matches(module, names, 3) or names[:20]
        raise InvalidInput(f"The model has no module {module!r}. Close names: {', '.join(close)}.")
    refuse_training(model)
    with torch.no_grad(), Watch({id(model.get_submodule(module)): [module]}) as watch:
        model(inputs)
    made = watch.made[module]
    if len(made) != 1:
        raise InvalidInput(
            f"Module {module!r} must run once for each run of the model and return a float tensor; "
            f"it did so {len(made)} times. Name one that does."
        )
    return made[0]


def refuse_training(model: nn.Module) -> None:
    """Batch norm would change its statistics, and dropout would make the values random."""
    kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    for name, each in model.named_modules():
        if each.training and isinstance(each, kinds):
            raise InvalidInput(
                f"The model must be in evaluation mode, but {name or 'it'} "
                f"({type(each).__name__}) is training. Call model.eval() first."
            )
