"""Which pictures are compared, as the nets take them."""

from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d

from comparing.voc_classes import IMAGENET, kind_of
from whence.zoo import Dataset, ImageInput, Item, Model

SHARES = 0.05, 0.6  # of the picture that a thing may cover


@dataclass(frozen=True, eq=False)
class Chosen:
    """Inputs with what belongs to them.

    classes: what the net says, (samples,). masks: where the things of that kind are, boolean
    (samples, height, width); None where no boxes are known.
    """

    inputs: Tensor
    classes: Tensor
    names: list[str]
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def at(self, numbers: list[int]) -> "Chosen":
        """Those with these numbers."""
        masks = None if self.masks is None else self.masks[numbers]
        return Chosen(
            self.inputs[numbers], self.classes[numbers], [self.names[k] for k in numbers], masks
        )


def spread(net: Model, data: Dataset, most: int) -> Chosen:
    """Evenly spread over a data set, as some are sorted by class."""
    numbers = evenly(len(data), most)
    inputs = torch.cat([net.preprocess(data[number].image) for number in numbers])
    return Chosen(inputs, predicted(net, inputs), [data.names[number] for number in numbers])


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the numbers below count: 0, and each n-th."""
    kept = min(most, count)
    return [k * count // kept for k in range(kept)]


def with_things(net: Model, data: Dataset, most: int) -> Chosen:
    """Photographs in which the net sees what a box is drawn around.

    Taken are those whose highest class, of 1,000, is a kind of one of the things in the picture;
    what the net sees of its boxes must cover 5 to 60 % of what it sees of the picture.
    """
    rows = []
    for number in range(len(data)):
        item = data[number]
        x = net.preprocess(item.image)
        seen = predicted(net, x)
        kind = kind_of(int(seen[0]))
        if kind is None or all(box.name != kind for box in item.boxes):
            continue
        mask = boxes_of(item, kind, net)
        if SHARES[0] <= float(mask.double().mean()) <= SHARES[1]:
            rows.append((x, seen, f"{item.name} {kind}", mask))
        if len(rows) == most:
            break
    if not rows:
        raise SystemExit(f"In {data.name} the net names no thing of: {', '.join(IMAGENET)}.")
    inputs, classes, names, masks = zip(*rows, strict=True)
    return Chosen(torch.cat(inputs), torch.cat(classes), list(names), torch.stack(masks))


def boxes_of(item: Item, kind: str, net: Model) -> Tensor:
    """Where the things of a kind are, (height, width) as the net sees the picture."""
    mask = torch.zeros(1, *item.image.shape[1:])
    for box in item.boxes:
        if box.name == kind:
            mask[:, box.top : box.bottom, box.left : box.right] = 1
    preprocess = net.preprocess
    assert isinstance(preprocess, ImageInput)
    plain = replace(preprocess, channels=1, mean=(0.0,), std=(1.0,), bgr=False)
    return plain(mask)[0, 0] > 0.5


def predicted(net: Model, inputs: Tensor) -> Tensor:
    """The highest class of each."""
    with torch.no_grad():
        return torch.cat([net.module(part).argmax(1) for part in inputs.split(64)])


def shown_pictures(net: Model, chosen: Chosen) -> list[Image.Image]:
    """Inputs as pictures again, with a yellow line around what the masks hold."""
    assert net.low is not None
    assert net.high is not None
    pixels = ((chosen.inputs - net.low) / (net.high - net.low)).clamp(0, 1)
    preprocess = net.preprocess
    if isinstance(preprocess, ImageInput) and preprocess.bgr:
        pixels = pixels.flip(1)
    colour = pixels.expand(-1, 3, -1, -1)
    if chosen.masks is not None:
        inside = chosen.masks[:, None].float()
        line = (max_pool2d(1 - inside, 9, stride=1, padding=4) * inside).bool()
        colour = torch.where(line, torch.tensor([1.0, 0.85, 0.0]).view(3, 1, 1), colour)
    rows = colour.mul(255).round().byte().permute(0, 2, 3, 1)
    return [Image.fromarray(each.numpy()) for each in rows]
