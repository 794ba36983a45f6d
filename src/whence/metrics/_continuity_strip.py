"""The picture of continuity: relevance that moves with the digit, or does not."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from whence import viz
from whence._explanation import first
from whence.errors import InvalidInput
from whence.explainers import Explainer
from whence.metrics._batch import Batch, rows
from whence.metrics._neighbours import Shifts


def continuity_strip(
    explainers: Mapping[str, Explainer],
    image: Tensor,
    target: Any = None,
    *,
    shifts: Shifts | None = None,
    title: str | None = None,
    colours: str = "red-blue",
) -> viz.Drawing:
    """Draw one picture as it moves pixel by pixel, over the relevance that each method gives.

    Use it beside `Continuity(near=Shifts(...))`, which puts a number on it. All places are asked
    about the class that wins where the picture stands, and each method has one scale of colours.

    - `explainers`: name -> method.
    - `image`: (channels, height, width), as the model takes it, or with a batch axis of one.
    - `target`: of the picture where it stands; by default its highest score there.

    ```python
    continuity_strip({"lrp": LRP(model), "sensitivity": Sensitivity(model)}, digit)
    ```
    """
    x = image if image.dim() == 4 else image[None]
    if x.dim() != 4 or len(x) != 1:
        raise InvalidInput(
            "continuity_strip draws one picture (channels, height, width), got "
            f"{tuple(image.shape)}."
        )
    shifts = shifts or Shifts()
    frames = shifts.frames(x)[0]
    maps = {}
    for name, explainer in explainers.items():
        asked = rows(Batch(explainer.model, x, target).target, slice(0, 1), len(frames), 1)
        maps[name] = first(explainer.explain(frames, asked).relevance).detach()
    names = [f"{t:+d}" if t else "0" for t in range(-shifts.reach, shifts.reach + 1)]
    return viz.draw_strip(frames, maps, names=names, title=title, colours=colours)
