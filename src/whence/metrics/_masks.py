"""Where the object is: masks from boxes, and what metrics of localisation ask of masks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._case import Case
from whence.metrics._metric import Scores

CONVENTIONS = {
    "half-open": "0-based, the far edges excluded, as slices: (0, 0, 2, 2) is 2 x 2 pixels",
    "voc": "1-based, both edges included, as PASCAL VOC: (1, 1, 2, 2) is 2 x 2 pixels",
}
POOLS = {
    "positive": "max(0, sum_c R): what speaks for the target",
    "absolute": "|sum_c R|",
    "signed": "sum_c R",
}
NO_OBJECT = "the mask is empty: there is no object"
ALL_OBJECT = "the mask is full: any map lies in the object"


def boxes_to_masks(
    boxes: Sequence[Any] | Tensor,
    height: int,
    width: int,
    *,
    convention: str = "half-open",
) -> Tensor:
    """Masks of the union of each sample's boxes, booleans of shape (samples, height, width).

    - `boxes`: for each sample a list of boxes (x0, y0, x1, y1) in pixels, x to the right and y
      down; an empty list for a sample without an object. Or a tensor (samples, 4) or (samples,
      boxes, 4).
    - `convention`: "half-open", 0-based with x0 <= x < x1, as slices; or "voc", PASCAL VOC's:
      1-based with x0 <= x <= x1.

    What lies outside the picture is cut off. With fractions, a pixel belongs to a box if its centre
    does.

    >>> boxes_to_masks([[(0, 0, 2, 1)]], height=2, width=3).int().tolist()
    [[[1, 1, 0], [0, 0, 0]]]
    """
    if convention not in CONVENTIONS:
        raise InvalidInput(
            f"convention must be one of {', '.join(CONVENTIONS)}, got {convention!r}."
        )
    if isinstance(boxes, Tensor) and boxes.dim() == 2:
        boxes = boxes[:, None]
    masks = [_mask(each, height, width, convention, sample) for sample, each in enumerate(boxes)]
    return torch.stack(masks) if masks else torch.zeros(0, height, width, dtype=torch.bool)


def objects(case: Case) -> Tensor:
    """The masks of the case's samples, checked: booleans of the shape of a map, flat."""
    masks, x = case.batch.masks, case.batch.x
    if masks is None:
        raise InvalidInput(
            "This metric asks where the object is: pass masks=, booleans of shape (samples, "
            "height, width). From boxes: masks=boxes_to_masks(boxes, height, width)."
        )
    wanted = (len(x), *x.shape[2:])
    if x.dim() < 3 or tuple(masks.shape) != wanted:
        raise InvalidInput(
            f"Masks must have the shape of the samples without channels, {wanted}, got "
            f"{tuple(masks.shape)}. Preprocess the masks as the pictures: resize, crop, pad."
        )
    if masks.dtype != torch.bool:
        raise InvalidInput(f"Masks must be booleans, got {masks.dtype}. Pass masks > 0.")
    return masks.to(x.device).flatten(1)


def pooled(case: Case, pool: str) -> Tensor:
    """One number for each pixel, (samples, pixels), float64."""
    if pool not in POOLS:
        raise InvalidInput(f"pool must be one of {', '.join(POOLS)}, got {pool!r}.")
    R = case.relevance.double().sum(1).flatten(1)
    if pool == "positive":
        return R.clamp(min=0)
    return R.abs() if pool == "absolute" else R


def where_object(
    values: Tensor,
    masks: Tensor,
    undefined: Tensor | None = None,
    reason: str = "",
    details: Mapping[str, Tensor] | None = None,
) -> Scores:
    """The scores, NaN for samples without an object, with nothing else, or that are undefined."""
    lacking = [(~masks.any(1), NO_OBJECT), (masks.all(1), ALL_OBJECT)]
    if undefined is not None:
        lacking.append((undefined, reason))
    reasons: dict[int, str] = {}
    values = values.double()
    for samples, words in lacking:
        values = values.masked_fill(samples, torch.nan)
        reasons |= {
            row: words for row in samples.nonzero().flatten().tolist() if row not in reasons
        }
    area = masks.double().mean(1)
    return Scores(values, details={"area": area, **(details or {})}, reasons=reasons)


def _mask(boxes: Any, height: int, width: int, convention: str, sample: int) -> Tensor:
    if len(boxes) == 0:
        return torch.zeros(height, width, dtype=torch.bool)
    given = torch.as_tensor(boxes, dtype=torch.float64).cpu()
    if given.dim() != 2 or given.shape[1] != 4:
        raise InvalidInput(
            f"Sample {sample} needs boxes (x0, y0, x1, y1), one list of four each, got numbers of "
            f"shape {tuple(given.shape)}. One box is [(x0, y0, x1, y1)]."
        )
    x0, y0, x1, y1 = given.T
    if convention == "voc":
        x0, y0 = x0 - 1, y0 - 1
    wrong = ~((x0 < x1) & (y0 < y1))
    if bool(wrong.any()):
        raise InvalidInput(
            f"A box needs x0 < x1 and y0 < y1 (equal is allowed in VOC's convention), got "
            f"{given[wrong][0].tolist()} in sample {sample}. Is it (x, y, width, height)?"
        )
    across, down = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    columns = (across >= x0[:, None]) & (across < x1[:, None])
    lines = (down >= y0[:, None]) & (down < y1[:, None])
    return (lines[:, :, None] & columns[:, None]).any(0)
