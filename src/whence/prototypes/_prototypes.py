"""What an ascent found: the inputs, their numbers, the way there, and how they were made."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor

from whence import viz
from whence._html import fragment, paragraph, picture
from whence.errors import InvalidInput
from whence.viz._arrays import to_rgb

SUFFIXES = (".png", ".svg", ".npz", ".json")


@dataclass(eq=False)
class Prototypes:
    """The inputs that a model answers most to, one for each class and copy, in that order.

    - `inputs`: (n, ...). `names`: what each is a prototype of, such as its class.
    - `objective`, `prior`: (n,), measured at `inputs` without transformations. The prior counts
      all rewards, also that on a generator's code; `total` is their sum.
    - `history`, `prior_history`: (steps + 1, n), with transformations, from the start on; NaN after
      a prototype came to rest. `steps`: (n,), how many steps each took.
    - `parameters`: what the parametrisation holds, such as codes.
    - `notes`: what to know; `made`: how they were made.
    """

    inputs: Tensor
    objective: Tensor
    prior: Tensor
    history: Tensor
    prior_history: Tensor
    steps: Tensor
    names: list[str]
    parameters: list[Tensor]
    box: tuple[float | Tensor, float | Tensor] | None = None
    notes: list[str] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        values = ", ".join(f"{value:.4g}" for value in self.objective[:10].tolist())
        more = ", ..." if len(self) > 10 else ""
        return (
            f"Prototypes({len(self)} of shape {tuple(self.inputs.shape[1:])}, "
            f"{self.made.get('objective', 'objective')} = [{values}{more}], "
            f"{int(self.steps.max())} steps)"
        )

    def _repr_html_(self) -> str:
        """How a notebook shows them: the picture, where their shape has one, and the notes."""
        try:
            shown = picture(self.plot(), "prototypes")
        except InvalidInput as error:
            shown = paragraph(str(error))
        notes = [paragraph(f"note: {each}") for each in self.notes]
        return fragment("Prototypes", paragraph(repr(self)), shown, *notes)

    @property
    def total(self) -> Tensor:
        """Objective plus prior, (n,): what was climbed."""
        return self.objective + self.prior

    def captions(self) -> list[str]:
        """ "3: -0.012" for each prototype: its class and its objective."""
        values = [f"{value:.3g}" for value in self.objective.tolist()]
        return [f"{n}: {v}" if n else v for n, v in zip(self.names, values, strict=True)]

    def plot(self, **options: Any) -> Image.Image:
        """A picture of all prototypes; takes what `drawing` takes."""
        return self.drawing(**options).image()

    def drawing(
        self,
        *,
        shape: Sequence[int] | None = None,
        picture: Callable[[Tensor], Tensor] | None = None,
        captions: Sequence[str] | None = None,
        columns: int | None = None,
        title: str | None = None,
    ) -> viz.Drawing:
        """A grid of the prototypes with captions: images of (n, channels, height, width), signals
        of (n, channels, time), bars of (n, features).

        - `shape`: of one input as an image, (height, width) or (channels, height, width), for
          models that take flat ones.
        - `picture`: inputs -> images within 0 and 1, to undo what the model wants of its inputs.
          Without it a box, where there was one, is drawn from black to white; else the range of
          each image is.
        - `captions`: instead of "class: objective". `columns`: by default at most ten.
        """
        x = self.inputs.detach().cpu()
        if shape is not None:
            x = x.reshape(len(x), *([1] if len(shape) == 2 else []), *shape)
        cells = _cells(self._scaled(x) if picture is None else picture(x))
        notes = list(self.captions() if captions is None else captions)
        columns = columns or min(len(cells), 10 if cells[0].width <= 112 else 5)
        starts = range(0, len(cells), columns)
        return viz.draw_grid(
            [cells[start : start + columns] for start in starts],
            captions=[notes[start : start + columns] for start in starts],
            title=title,
            colours=None,
            cell=max(112, *(side for cell in cells for side in cell.size)),
        )

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write them; the suffix says how: picture (.png, .svg; options as of `drawing`), arrays
        (.npz), or numbers and how they were made (.json). Returns the path."""
        path = Path(path)
        if path.suffix not in SUFFIXES:
            raise InvalidInput(f"save needs a suffix of {', '.join(SUFFIXES)}; got {path.name!r}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".svg"):
            return viz.save(self.drawing(**options), path)
        if path.suffix == ".json":
            path.write_text(json.dumps(self.record(), indent=1, allow_nan=False), encoding="utf-8")
            return path
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"parameters.{index}": each for index, each in enumerate(self.parameters)}
        numpy.savez_compressed(path, **{name: _array(each) for name, each in arrays.items()})
        return path

    def record(self) -> dict[str, Any]:
        """All numbers but the inputs, as plain lists, and how they were made."""
        return {
            "made": self.made,
            "names": self.names,
            "shape": list(self.inputs.shape[1:]),
            "objective": _plain(self.objective),
            "prior": _plain(self.prior),
            "steps": self.steps.tolist(),
            "history": [_plain(row) for row in self.history],
            "prior_history": [_plain(row) for row in self.prior_history],
            "notes": self.notes,
        }

    def _scaled(self, x: Tensor) -> Tensor:
        """A box from 0 to 1; without one as it is, which viz stretches where it must."""
        if self.box is None or x.dim() != 4:
            return x
        low, high = (torch.as_tensor(each).cpu().to(x) for each in self.box)
        if low.numel() > 1 and low.dim() + 1 != self.inputs.dim():
            return x
        return (x - low) / (high - low)


_ARRAYS = "inputs objective prior history prior_history steps".split()


def _cells(x: Tensor) -> list[Image.Image]:
    """Images (n, C, H, W), signals (n, C, T), bars (n, F)."""
    if x.dim() == 4:
        return [Image.fromarray(to_rgb(each)) for each in x]
    if x.dim() == 3:
        return [viz.render(viz.plot_signal(torch.zeros_like(each), each)) for each in x]
    if x.dim() == 2:
        names = [f"feature {index}" for index in range(x.shape[1])]
        return [viz.render(viz.bar_chart(names, each, xlabel="value")) for each in x]
    raise InvalidInput(
        f"Inputs of shape {tuple(x.shape)} have no picture. Give shape=, such as (channels, "
        "height, width), or picture=, a function that makes images of them."
    )


def _plain(values: Tensor) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().numpy()
