"""Which part of the input each tensor of a running model looks at: receptive fields, exactly.

While the model runs, every storage it makes gets a mirror: for each element and each followed axis
of the input, the first and the last coordinate that the element depends on. The mirror of a value
is made from the mirrors of what it was computed from, so that branches, padding, strides and odd
sizes come out as they are, and writes in place or through views too.

One step below torch's functions (its dispatcher) few operations are left, and the arithmetic of
each is in `_reach_rules`. What is not there counts as looking at all that its inputs look at.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from whence._multiply_adds import multiply_adds
from whence._reach_rules import ruled
from whence._reach_windows import NOTHING


class Reach(NamedTuple):
    """What each element of a tensor looks at, both ends included; `low > high` where at nothing.

    `low` and `high` are int64 of shape (axes, *shape of the tensor).
    """

    low: Tensor
    high: Tensor

    @property
    def size(self) -> tuple[int, ...]:
        """The largest extent among the elements, along each followed axis."""
        extents = (self.high - self.low + 1).clamp(min=0)
        return tuple(int(each.max()) if each.numel() else 0 for each in extents)


class Follower(TorchDispatchMode):
    """Follows one tensor's `axes` through all that is computed within its `with` block.

    `work` counts multiply-adds on the way.

    ```python
    with torch.no_grad(), Follower(inputs, (2, 3)) as following:
        output = model(inputs)
    following.reach(output).size
    ```
    """

    def __init__(self, leaf: Tensor | None = None, axes: Sequence[int] = ()) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.work = 0
        self._mirrors: dict[StorageWeakRef, Tensor] = {}
        if leaf is not None and self.axes:
            self._write(leaf, _coordinates(leaf, self.axes))

    def reach(self, tensor: Tensor) -> Reach:
        """What the elements of a tensor look at; nothing, if it does not depend on the input."""
        planes = self._read(tensor)
        if planes is None:
            planes = NOTHING.expand(2 * len(self.axes), *tensor.shape)
        ends = planes.nan_to_num(neginf=-1.0).long()
        low = torch.where(planes[::2].isinf(), 0, -ends[::2])
        return Reach(low, ends[1::2])

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        names = [each.name for each in func._schema.arguments]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        self.work += multiply_adds(_name(func), given, out)
        if self.axes:
            self._follow(func, given, out)
        return out

    def _follow(self, func: Any, given: dict[str, Any], out: Any) -> None:
        tensors = [each for each in tree_leaves(given) if isinstance(each, Tensor)]
        outputs = [each for each in tree_leaves(out) if isinstance(each, Tensor)]
        followed = [each for each in tensors if self._key(each) in self._mirrors]
        if not followed or not outputs:
            return
        held = {self._key(each) for each in followed}
        if not func._schema.is_mutable and all(self._key(each) in held for each in outputs):
            return  # views: the mirror of their storage is theirs already
        planes: list[list[Tensor]] = []
        for number in range(2 * len(self.axes)):
            plain = tree_map(lambda each, number=number: self._plane(each, number), given)
            planes.append(ruled(func, _name(func), plain, [each.shape for each in outputs]))
        for number, each in enumerate(outputs):
            self._write(each, torch.stack([plane[number] for plane in planes]))

    def _plane(self, given: Any, number: int) -> Any:
        """One mirrored number in the place of a tensor: nothing, where it is not followed."""
        if not isinstance(given, Tensor):
            return given
        planes = self._read(given)
        if planes is not None:
            return planes[number]
        return NOTHING.expand(given.shape) if given.is_floating_point() else given.cpu()

    def _read(self, tensor: Tensor) -> Tensor | None:
        mirror = self._mirrors.get(self._key(tensor))
        if mirror is None:
            return None
        if mirror.shape[1] != _elements(tensor):  # read as another type, as complex numbers are
            return mirror.amax(1).view(-1, *[1] * tensor.dim()).expand(-1, *tensor.shape)
        return _as_in(mirror, tensor)

    def _write(self, tensor: Tensor, planes: Tensor) -> None:
        key = self._key(tensor)
        if key not in self._mirrors:
            self._mirrors = {k: v for k, v in self._mirrors.items() if not k.expired()}
            self._mirrors[key] = NOTHING.expand(len(planes), _elements(tensor)).clone()
        _as_in(self._mirrors[key], tensor).copy_(planes)

    def _key(self, tensor: Tensor) -> StorageWeakRef:
        return StorageWeakRef(tensor.untyped_storage())


def spatial_axes(tensor: Tensor) -> tuple[int, ...]:
    """The axes to follow unless told otherwise: those behind batch and channels, else the last."""
    return tuple(range(2, tensor.dim())) if tensor.dim() > 2 else (tensor.dim() - 1,)


@contextmanager
def as_in_evaluation(model: nn.Module) -> Iterator[None]:
    """No dropout and no update of running statistics; every module's mode as found afterwards."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def plain_kernels() -> Iterator[None]:
    """No fused kernels that hide their products, so that each can be followed and counted."""
    backends = torch.backends
    fast, fused = backends.mha.get_fastpath_enabled(), backends.mkldnn.enabled
    try:
        backends.mha.set_fastpath_enabled(False)
        backends.mkldnn.enabled = False
        yield
    finally:
        backends.mha.set_fastpath_enabled(fast)
        backends.mkldnn.enabled = fused


def _coordinates(leaf: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The mirror of the input itself: for each axis minus its coordinate, and its coordinate.

    The first is negative so that joining two parts is a maximum for either end.
    """
    planes = []
    for axis in axes:
        places = torch.arange(leaf.shape[axis], dtype=torch.float32, device="cpu")
        shaped = places.view([-1 if each == axis else 1 for each in range(leaf.dim())])
        planes += [-shaped.expand(leaf.shape), shaped.expand(leaf.shape)]
    return torch.stack(planes)


def _as_in(mirror: Tensor, tensor: Tensor) -> Tensor:
    """The part of a storage's mirror that belongs to a tensor, in the tensor's own shape."""
    shape = (len(mirror), *tensor.shape)
    return mirror.as_strided(shape, (mirror.shape[1], *tensor.stride()), tensor.storage_offset())


def _elements(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def _name(func: Any) -> str:
    """`aten::relu_` is "relu": a write in place computes the same."""
    return func._schema.name.split("::")[-1].rstrip("_")
