"""What is found can be read, drawn and saved."""

import json
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import whence
from whence.errors import InvalidInput
from whence.prototypes import L2, Generator, Layer, LogProbability, Noise, Prototypes
from whence.viz import Drawing
from whence.viz._drawing import PictureItem


def found(shape: tuple[int, ...] = (1, 6, 6), **options: object) -> Prototypes:
    size = int(torch.tensor(shape).prod())
    net = nn.Sequential(nn.Flatten(), nn.Linear(size, 4)).eval()
    options = {"prior": L2(0.01), "steps": 3, "box": (0, 1), **options}
    return whence.maximize(net, [3, 1], start=Noise(shape), **options)  # type: ignore[arg-type]


def test_it_says_what_it_is() -> None:
    prototypes = found()
    prototypes.objective = torch.tensor([-0.25, -1.5])

    assert repr(prototypes) == (
        "Prototypes(2 of shape (1, 6, 6), LogProbability([3, 1]) = [-0.25, -1.5], 3 steps)"
    )
    assert len(prototypes) == 2
    assert prototypes.names == ["3", "1"]
    assert prototypes.captions() == ["3: -0.25", "1: -1.5"]
    assert torch.equal(prototypes.total, prototypes.objective + prototypes.prior)


def test_long_lists_are_cut() -> None:
    net = nn.Linear(2, 12)
    prototypes = whence.maximize(net, range(12), start=torch.zeros(1, 2), steps=1)

    assert ", ...], 1 steps)" in repr(prototypes)


def test_without_classes_captions_are_numbers() -> None:
    net = nn.Linear(2, 3)
    prototypes = whence.maximize(net, Layer(""), start=torch.zeros(2, 2), steps=1)

    assert prototypes.captions() == [f"{value:.3g}" for value in prototypes.objective.tolist()]


def test_values_are_those_of_the_kept_inputs() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 4)).eval()
    prototypes = whence.maximize(
        net, [3, 1], start=Noise((1, 6, 6)), prior=L2(0.01), transformations=[
            whence.prototypes.Jitter(1)
        ], steps=3,
    )  # fmt: skip

    log_p = net(prototypes.inputs).detach().log_softmax(1)
    torch.testing.assert_close(prototypes.objective, torch.stack([log_p[0, 3], log_p[1, 1]]))
    torch.testing.assert_close(prototypes.prior, -0.01 * prototypes.inputs.square().sum((1, 2, 3)))


def test_numbers_are_saved_as_json(tmp_path: Path) -> None:
    prototypes = found(patience=1, tolerance=10.0)
    text = prototypes.save(tmp_path / "new" / "p.json").read_text()
    record = json.loads(text)

    assert record["objective"] == prototypes.objective.tolist()
    assert record["made"]["objective"] == "LogProbability([3, 1])"
    assert record["made"]["prior"] == "L2(0.01, around=0)"
    assert record["made"]["parametrisation"] == "Pixels(box=(0, 1))"
    assert record["made"]["start"] == "Noise((1, 6, 6), std=1)"
    assert record["made"]["rate"] == 0.05
    assert record["made"]["model"] == "Sequential"
    assert record["steps"] == [1, 1]
    assert "NaN" not in text


def test_a_prototype_at_rest_has_no_history(tmp_path: Path) -> None:
    start = torch.tensor([[1.0], [0.0]]).double()
    prototypes = whence.maximize(
        lambda x: -(x - 1).square().sum(1), whence.prototypes.Output(), start=start, patience=1,
        optimiser="sgd", rate=0.5, steps=5,
    )  # fmt: skip
    record = json.loads(prototypes.save(tmp_path / "p.json").read_text())

    assert record["history"] == [[0.0, -1.0], [0.0, 0.0], [None, 0.0]]
    assert record["steps"] == [1, 2]


def test_arrays_are_saved_as_they_are(tmp_path: Path) -> None:
    decoder = nn.Linear(2, 36)
    form = Generator(lambda z: decoder(z).view(-1, 1, 6, 6), (2,))
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    prototypes = whence.maximize(net, [0, 1, 2], parametrisation=form, steps=2)
    arrays = numpy.load(prototypes.save(tmp_path / "p.npz"))

    assert numpy.array_equal(arrays["inputs"], prototypes.inputs.numpy())
    assert numpy.array_equal(arrays["parameters.0"], prototypes.parameters[0].numpy())
    assert arrays["history"].shape == (3, 3)
    assert arrays["steps"].tolist() == [2, 2, 2]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 6, 6), (2, 6, 6), (5,), (3, 20)], ids=str)
def test_inputs_of_any_shape_are_drawn(shape: tuple[int, ...], suffix: str, tmp_path: Path) -> None:
    path = found(shape, steps=1).save(tmp_path / f"p{suffix}")

    assert path.stat().st_size > 300


def test_inputs_of_five_axes_have_no_picture() -> None:
    with pytest.raises(InvalidInput, match=r"\(2, 2, 3, 4, 5\) have no picture. Give shape="):
        found((2, 3, 4, 5), steps=1).plot()


def cells(drawing: Drawing) -> list[Image.Image]:
    return [item.image for item in drawing.items if isinstance(item, PictureItem)]


def test_the_picture_shows_the_numbers() -> None:
    prototypes = found(steps=1)
    prototypes.inputs = torch.zeros(2, 1, 2, 2)
    prototypes.inputs[0, 0, 0, 1] = 1.0
    prototypes.inputs[1] = 0.5
    shown = cells(prototypes.drawing())

    assert [cell.getpixel((0, 0)) for cell in shown] == [(0, 0, 0), (128, 128, 128)]
    assert shown[0].getpixel((shown[0].width - 1, 0)) == (255, 255, 255)


def test_a_box_is_drawn_from_black_to_white() -> None:
    prototypes = found(steps=1, box=(-2.0, 2.0))
    prototypes.inputs = torch.stack([torch.full((1, 2, 2), 2.0), torch.full((1, 2, 2), 0.0)])
    shown = cells(prototypes.drawing())

    assert [cell.getpixel((0, 0)) for cell in shown] == [(255, 255, 255), (128, 128, 128)]


def test_a_box_of_channels_is_drawn_channel_by_channel() -> None:
    low = torch.tensor([0.0, -1.0, -2.0]).view(3, 1, 1)
    prototypes = found((3, 4, 4), steps=1, box=(low, low + 2))
    prototypes.inputs = (low + torch.tensor([0.0, 2.0, 1.0]).view(3, 1, 1)).expand(2, 3, 4, 4)
    shown = cells(prototypes.drawing())

    assert shown[0].getpixel((0, 0)) == (0, 255, 128)


def test_flat_inputs_can_be_drawn_as_images() -> None:
    prototypes = found((36,), steps=1)

    assert prototypes.plot(shape=(6, 6)).size == found((1, 6, 6), steps=1).plot().size


def test_what_the_model_wants_can_be_undone() -> None:
    def bright(x: Tensor) -> Tensor:
        return torch.ones_like(x)

    drawing = found(steps=1).drawing(picture=bright, captions=["a", "b"], title="both", columns=1)
    shown = cells(drawing)

    assert isinstance(drawing.image(), Image.Image)
    assert shown[0].getpixel((0, 0)) == (255, 255, 255)
    assert drawing.height > drawing.width


def test_another_suffix_is_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"suffix of .png, .svg, .npz, .json; got 'p.pt'"):
        found(steps=1).save("p.pt")


def test_an_explanation_of_a_prototype_is_an_explanation() -> None:
    # The inputs are plain tensors, detached from the ascent.
    prototypes = found(steps=2)

    assert not prototypes.inputs.requires_grad
    assert not any(each.requires_grad for each in prototypes.parameters)
    assert LogProbability([3, 1]).classes == (3, 1)
