"""Grad-CAM: the channels of one layer, weighed by their mean gradient."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from whence import viz
from whence._explanation import Explanation
from whence.engine import Tapped
from whence.errors import InvalidInput
from whence.explainers._explainer import Explainer
from whence.explainers._gradient import InputGradient
from whence.explainers._inputs import Inputs
from whence.explainers._wrapped import average
from whence.targets import Each


class GradCAM(Explainer):
    """Grad-CAM at a convolutional layer, enlarged to the input's size.

        L = max(0, sum_k alpha_k A_k),   alpha_k = mean over space of df/dA_k

    `layer` is a module's name; the last convolution of the model if None. The map is coarse and
    says where, not what. It is shared equally among the input's channels, so that summing over
    channels gives the map; `.at(layer)` gives it at the layer's own size. A convolution that a
    batch norm follows directly is one layer with it: the map is that of the norm's output.

    References: [selvaraju2017, eq. 1-2].
    """

    name: ClassVar[str] = "grad-cam"
    decomposes: ClassVar[str] = "nothing: a coarse map of where evidence lies"
    sources: ClassVar[tuple[str, ...]] = ("selvaraju2017",)

    def __init__(
        self, model: Callable[..., Any], layer: str | None = None, *, output: Any = None
    ) -> None:
        super().__init__(model)
        self.layer = _last_convolution(model) if layer is None else layer
        self._inner = _Cam(model, output=output)

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The enlarged map, in the input's shape."""
        given = Inputs.of(inputs)
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        if len(given.leaves) != 1:
            raise InvalidInput(f"Grad-CAM needs one input, got {len(given.leaves)}.")
        found = self._inner.explain(inputs, target, taps=[self.layer])
        cam, x = found.at(self.layer), given.leaves[0]
        if not isinstance(cam, Tensor) or cam.dim() != x.dim():
            raise InvalidInput(
                f"Grad-CAM needs a layer that is called once and keeps the input's {x.dim() - 2} "
                f"spatial axes; {self.layer!r} does not. Give layer= the name of a convolution."
            )
        mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[x.dim()]
        large = F.interpolate(cam, x.shape[2:], mode=mode, align_corners=False)
        relevance = (large / x.shape[1]).expand_as(x).contiguous()
        return Explanation(
            relevance=given.rebuild(lambda i: relevance),
            inputs=inputs,
            output=found.output,
            target=found.target,
            score=found.score,
            method=self.name,
            taps={self.layer: cam},
            notes=found.notes,
            draw=viz.draw,
            write=viz.save,
        )


class _Cam(InputGradient):
    """The plain gradient, whose taps are Grad-CAM maps."""

    def read_tap(self, tap: Tapped) -> Tensor:
        if tap.c is None or tap.data.dim() < 3:
            raise InvalidInput(f"Grad-CAM needs a spatial layer, got {tuple(tap.data.shape)}.")
        space = tuple(range(2, tap.c.dim()))
        weights = tap.c.mean(space, keepdim=True)
        return (weights * tap.data.to(tap.c.dtype)).sum(1, keepdim=True).clamp(min=0)


def _last_convolution(model: Any) -> str:
    if isinstance(model, torch.nn.Module):
        kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
        names = [name for name, module in model.named_modules() if isinstance(module, kinds)]
        if names:
            return names[-1]
    raise InvalidInput("Grad-CAM found no convolution in the model. Give layer= a module's name.")
