import pytest
import torch
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.explainers import LRP, GradientTimesInput, Sensitivity
from whence.metrics import Shifts, continuity_strip
from whence.viz import Drawing


def texts(drawing: Drawing) -> list[str]:
    return [each.text for each in drawing.items if hasattr(each, "text")]  # type: ignore[union-attr]


def net() -> nn.Module:
    made = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    return made.eval()


def test_it_has_a_row_for_each_method_and_a_column_for_each_place() -> None:
    model = net()
    drawing = continuity_strip(
        {"lrp": LRP(model), "sensitivity": Sensitivity(model)},
        torch.rand(1, 8, 8),
        shifts=Shifts(2),
    )

    assert {"lrp", "sensitivity", "input", "-2", "-1", "0", "+1", "+2"} <= set(texts(drawing))
    assert sum(hasattr(each, "image") for each in drawing.items) >= 3 * 5


def test_all_places_are_asked_about_the_class_where_the_picture_stands() -> None:
    asked = []

    class Asking(GradientTimesInput):
        def explain(self, inputs: Tensor, target: object = None, **options: object):  # type: ignore
            asked.append(target)
            return super().explain(inputs, target, **options)  # type: ignore[arg-type]

    model, picture = net(), torch.rand(1, 8, 8)
    continuity_strip({"taylor": Asking(model)}, picture, shifts=Shifts(3))
    best = model(picture[None]).argmax(1).item()

    assert asked[0].k.tolist() == [best] * 7  # type: ignore[attr-defined]


def test_it_takes_one_picture() -> None:
    with pytest.raises(InvalidInput, match="one picture"):
        continuity_strip({"lrp": LRP(net())}, torch.rand(2, 1, 8, 8))
