"""One neuron of deep Taylor decomposition: its relevance model, root, expansion and pooling."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from whence import viz

_WORST = 1e-10  # of the largest first-order term, in float64


@dataclass(frozen=True, eq=False)
class NeuronSteps:
    """The four steps of deep Taylor decomposition at one neuron j with z_j = sum_i a_i w_ij + b_j.

        1  relevance model   R_j = a_j c_j;  r(a) = max(0, sum_i a_i w'_ij + b'_j),  w' = w c_j
        2  root              r(root) = 0,  root = a - t d  along the direction d of the rule
        3  expansion         R_{i<-j} = (a_i - root_i) dr/da_i (root), which the rule has in closed
                             form; what is left of R_j are the zeroth order and the residual
        4  pooling           R_i = sum_j R_{i<-j}

    The slope at the root is taken on the side of a, as r has its kink there. `ruled` are the
    first-order terms by the rule, `expanded` the same by autograd through the operation itself.
    Tensors have the shape of the layer's input, for one sample. `print(steps)` tells all in words,
    `plot()` draws it.
    """

    module: str
    index: tuple[int, ...]
    sample: int
    rule: Any
    direction: str
    a: Tensor
    weight: Tensor
    bias: float
    z: float
    relevance: float  # R_j
    root: Tensor
    root_z: float  # sum_i root_i w_ij + b_j
    ruled: Tensor
    expanded: Tensor
    zeroth: float  # r(root)
    pooled: Tensor  # R_i, of all neurons of the layer
    domain: str
    in_domain: bool
    switched: tuple[int, int]  # ReLUs that switch at the root, of those from here on

    @property
    def c(self) -> float:
        """c_j = R_j / z_j, what counts as constant; 0 for a silent neuron."""
        return self.relevance / self.z if self.relevance else 0.0

    @property
    def error(self) -> float:
        """The largest difference of the rule and autograd, relative to the largest term."""
        largest = float(self.expanded.abs().max())
        return float((self.ruled - self.expanded).abs().max()) / largest if largest else 0.0

    @property
    def residual(self) -> float:
        """R_j - r(root) - sum_i R_{i<-j}, by autograd."""
        return self.relevance - self.zeroth - float(self.expanded.sum())

    @property
    def distance(self) -> float:
        """||a - root|| / ||a||."""
        return float((self.a - self.root).norm() / self.a.norm().clamp(min=1e-300))

    @property
    def inside(self) -> bool:
        """Whether the rest of the net sees root as it sees a: no other ReLU switches."""
        return self.switched[0] == 0

    def __str__(self) -> str:
        place = ", ".join(map(str, self.index))
        head = f"neuron [{place}] of {self.module!r}, sample {self.sample}: {self.rule!r}"
        if self.relevance == 0:
            return f"{head}\n  carries no relevance (z = {self.z:.4g}): nothing to expand"
        inside = "yes" if self.in_domain else "no"
        lines = [
            head,
            f"  1 relevance  R_j = z_j c_j: {self.relevance:.6g} = {self.z:.6g} x {self.c:.6g}"
            + ("" if self.z > 0 else "  (z_j < 0: outside of the theory)"),
            f"  2 root       along {self.direction}: sum_i root_i w_ij + b_j = {self.root_z:.1e}; "
            f"||a - root|| / ||a|| = {self.distance:.3g}; in its domain ({self.domain}): {inside}",
            f"               {self.switched[0]} of {self.switched[1]} other ReLUs from here on "
            "switch between a and root",
            f"  3 expansion  first order {float(self.expanded.sum()):.6g}, zeroth "
            f"{self.zeroth:.1e}, residual {self.residual:.1e}; rule against autograd "
            f"{self.error:.1e}",
            f"  4 pooling    {self._shares()}",
        ]
        return "\n".join(lines)

    def _shares(self) -> str:
        total = float(self.pooled.sum())
        share = self.relevance / total if total else 0.0
        flat, pooled = self.ruled.flatten(), self.pooled.flatten()
        largest = flat.abs().topk(min(3, flat.numel())).indices.tolist()
        told = ", ".join(f"R_{i} {float(flat[i]):.3g} of {float(pooled[i]):.3g}" for i in largest)
        return f"{share:.1%} of what the layer sends down; largest: {told}"

    def plot(self, shape: Sequence[int] | None = None, cell: int = 160) -> Any:
        """The steps as maps over the layer's inputs (a PIL image).

        shape: how to lay out an input that is a vector, such as (8, 8) for flattened pictures.
        """
        return self.drawing(shape, cell).image()

    def drawing(self, shape: Sequence[int] | None = None, cell: int = 160) -> Any:
        """The picture as a `viz.Drawing`."""
        maps = [
            ("activations a", self.a),
            ("1: w' = w c", self.weight * self.c),
            ("2: root", self.root),
            ("a - root", self.a - self.root),
            ("3: this neuron's R", self.ruled),
            ("4: all neurons' R", self.pooled),
        ]
        told = [f"largest {float(each.abs().max()):.3g}" for _, each in maps]
        return viz.draw_grid(
            [[_laid_out(each, shape) for _, each in maps]],
            column_names=[name for name, _ in maps],
            captions=[told],
            title=f"{self.module} {list(self.index)}: R = {self.relevance:.4g}",
            cell=cell,
        )

    def save(self, path: str | Path, shape: Sequence[int] | None = None) -> Path:
        """Write the picture, as .png or .svg."""
        return viz.save(self.drawing(shape), path)


def _laid_out(values: Tensor, shape: Sequence[int] | None) -> Any:
    """A map of two or three axes; a vector becomes a strip."""
    values = values.detach().cpu()
    if shape is not None:
        values = values.reshape(*shape)
    if values.dim() == 1:
        values = values[None].expand(max(1, len(values) // 8), -1)
    if values.dim() > 3:
        values = values.flatten(0, -3)
    return values.double().numpy()
