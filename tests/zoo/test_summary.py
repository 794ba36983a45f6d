"""Sizes of models: AlexNet as published, hand counts, torch's own counter, and printing."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import whence
from models import UNet
from whence import zoo
from whence.errors import InvalidInput
from whence.testing._untouched import untouched


def alexnet(*, towers: bool) -> nn.Module:
    """AlexNet, whose weights need no numbers here.

    With two towers, as published in 2012; with one, the narrower form that torchvision ships.
    """
    wide, groups, first = (96, 2, 0) if towers else (64, 1, 2)
    channels = (256, 384, 384, 256) if towers else (192, 384, 256, 256)
    second, third, fourth, fifth = channels
    return nn.Sequential(
        nn.Conv2d(3, wide, 11, 4, first),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(wide, second, 5, padding=2, groups=groups),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(second, third, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(third, fourth, 3, padding=1, groups=groups),
        nn.ReLU(inplace=True),
        nn.Conv2d(fourth, fifth, 3, padding=1, groups=groups),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(9216, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, 1000),
    )


def halves_of_flops(net: nn.Module, *inputs: Tensor) -> int:
    """Multiply-adds by torch's own counter, which counts two operations for each."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(*inputs)
    return counter.get_total_flops() // 2


@pytest.fixture(scope="module")
def published() -> zoo.Summary:
    with torch.device("meta"):
        net, x = alexnet(towers=True), torch.zeros(1, 3, 227, 227)
    return zoo.summary(net, x)


def test_alexnet_has_sixty_million_parameters_and_650_000_neurons(published: zoo.Summary) -> None:
    convolutions = 96 * 55**2 + 256 * 27**2 + (384 + 384 + 256) * 13**2

    assert published.parameters == 60_965_224
    assert published.units == convolutions + 4096 + 4096 + 1000 == 659_272
    assert published.layers == 8


def test_the_fields_of_alexnet_are_the_known_ones(published: zoo.Summary) -> None:
    found = [published.row(path).field for path in ("0", "2", "3", "5", "6", "8", "10", "12")]

    assert found == [(n, n) for n in (11, 19, 51, 67, 99, 131, 163, 195)]
    assert published.row("15").field == (227, 227)


def test_torchvisions_form_has_its_known_parameters() -> None:
    with torch.device("meta"):
        net, x = alexnet(towers=False), torch.zeros(2, 3, 224, 224)
    found = zoo.summary(net, x)

    assert found.parameters == 61_100_840
    assert found.units == 64 * 55**2 + 192 * 27**2 + (384 + 256 + 256) * 13**2 + 9192
    assert found.multiply_adds == halves_of_flops(net, x[:1]) == 714_188_480


def test_a_small_net_by_hand() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, groups=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
    )
    found = zoo.summary(net.train(), torch.zeros(7, 3, 6, 6))

    assert found.parameters == (27 * 4 + 4) + 8 + (64 * 5 + 5)
    assert found.units == 4 * 4 * 4 + 5
    assert found.layers == 2
    assert found.multiply_adds == 4 * 4 * 4 * 27 + 64 * 5
    assert [row.field for row in found.rows] == [(3, 3), (3, 3), (3, 3), (3, 3), (6, 6)]
    assert [row.output for row in found.rows][:1] == [(4, 4, 4)]


class Shared(nn.Module):
    """One layer used twice, and a product of tensors between them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)
        self.tied = nn.Linear(6, 6, bias=False)
        self.tied.weight = self.layer.weight

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layer(F.relu(self.layer(x)))
        return self.tied(hidden @ hidden.transpose(1, 2) @ hidden)


def test_shared_weights_count_once_and_work_counts_where_it_is_done() -> None:
    found = zoo.summary(Shared(), torch.zeros(1, 3, 6))
    by_path = {row.path: row for row in found.rows}

    assert found.parameters == 42
    assert by_path["layer"].calls == 2
    assert by_path["layer"].multiply_adds == 2 * 3 * 36
    assert by_path["tied"].parameters == 0
    assert by_path[""].multiply_adds == 3 * 6 * 3 + 3 * 3 * 6
    assert found.units == 2 * 18 + 18


def test_recurrent_steps_are_counted() -> None:
    found = zoo.summary(
        nn.LSTM(5, 7, 2, bidirectional=True, batch_first=True), torch.zeros(1, 6, 5)
    )
    one, two = 4 * 7 * (5 + 7), 4 * 7 * (14 + 7)  # of one direction and step

    assert found.multiply_adds == 6 * 2 * (one + two)
    assert found.units == 6 * 14


@pytest.mark.parametrize("kernel", [True, False])
def test_attention_is_counted_whatever_kernel_runs(kernel: bool) -> None:
    net = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(1, 6, 8)
    found = zoo.summary(net if kernel else Weighed(net), (x, x, x))

    assert found.multiply_adds == 4 * 6 * 8 * 8 + 2 * 6 * 6 * 8
    assert found.layers == 1


class Weighed(nn.Module):
    """Attention that returns its weights, which no fused kernel can."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self.attention(query, key, value, need_weights=True)[0]


def test_work_equals_torchs_own_count() -> None:
    x = torch.zeros(1, 3, 32, 32)

    assert zoo.summary(UNet(), x).multiply_adds == halves_of_flops(UNet(), x)


def test_models_of_the_zoo_know_their_inputs() -> None:
    found = zoo.summary(zoo.model("digits-mlp"))

    assert found.parameters == 1024 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
    assert found.units == 64 + 64 + 10
    assert found.input_shape == (1, 32, 32)


def test_squeezenet_from_the_data_folder(data: Path) -> None:
    net = zoo.model("squeezenet-imagenet", data)
    found = zoo.summary(net)

    assert found.parameters == 1_235_496
    assert found.multiply_adds == halves_of_flops(net.module, torch.zeros(1, 3, 227, 227))


def test_without_inputs_only_parameters_are_known() -> None:
    found = zoo.summary(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))

    assert found.parameters == 8
    assert (found.units, found.layers, found.multiply_adds) == (None, None, None)
    assert str(found).splitlines()[0] == "Sequential: 8 parameters"


def test_frozen_parameters_are_told_apart() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2).requires_grad_(False))

    assert (zoo.summary(net).parameters, zoo.summary(net).trainable) == (14, 8)


def test_keyword_arguments_are_passed_on() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, *, ids: Tensor, scale: float) -> Tensor:
            return self.layer(ids) * scale

    assert zoo.summary(Named(), {"ids": torch.zeros(3, 4), "scale": 2.0}).multiply_adds == 8


def test_it_prints_a_table_and_gives_numbers() -> None:
    found = zoo.summary(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), torch.zeros(1, 1, 5, 5))
    lines = str(found).splitlines()

    assert lines[0] == (
        "Sequential: 20 parameters, 18 units in 1 layers, 162 multiply-adds for an input of "
        "1 x 5 x 5"
    )
    assert lines[1].split() == "module kind output parameters units multiply-adds field".split()
    assert lines[2].split() == "0 Conv2d 2 x 3 x 3 20 18 162 3 x 3".split()
    assert lines[3].split() == "1 ReLU 2 x 3 x 3 0 3 x 3".split()
    assert found.to_dict()["rows"][0]["units"] == 18


def test_the_model_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Dropout())
    net[1].eval()
    x = torch.rand(2, 1, 5, 5)
    with untouched(net, x):
        zoo.summary(net, x)
    with untouched(net, x), pytest.raises(RuntimeError):
        zoo.summary(net, torch.rand(1, 3, 5, 5))

    assert torch.backends.mkldnn.enabled
    assert torch.backends.mha.get_fastpath_enabled()


def test_errors_say_what_to_do() -> None:
    net = nn.Linear(3, 2)

    with pytest.raises(InvalidInput, match="needs inputs with a batch axis"):
        zoo.summary(net, torch.zeros(3))
    with pytest.raises(InvalidInput, match="No module 'x' in the summary"):
        zoo.summary(net).row("x")
    with pytest.raises(InvalidInput, match="needs inputs with a batch axis"):
        zoo.summary(net, {"scale": 2.0})


def test_the_top_of_whence_leads_to_it() -> None:
    assert whence.zoo.summary is zoo.summary
