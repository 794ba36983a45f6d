"""The text format of the LRP toolbox."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from whence import zoo
from whence.errors import InvalidInput, NotAvailable


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], nn.Sequential]:
    """Reads a net from the text itself."""

    def from_text(text: str) -> nn.Sequential:
        path = tmp_path / "net.txt"
        path.write_text(text)
        return zoo.read_toolbox(path)

    return from_text


def test_linear_weights_are_stored_by_input(read: Callable[[str], nn.Sequential]) -> None:
    net = read("Linear 2 3\n1 2 3 4 5 6\n0.5 0 0\n")

    assert net(torch.tensor([[1.0, 10.0]])).tolist() == [[41.5, 52, 63]]


def test_convolution_weights_are_stored_by_place(read: Callable[[str], nn.Sequential]) -> None:
    # Height 1, width 2, 2 channels, 1 filter: left (1, 10), right (100, 1000) for channels (0, 1).
    net = read("Convolution 1 2 2 1 1 1\n1 10 100 1000\n0\n")
    image = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])

    assert net(image).item() == 1 * 1 + 10 * 3 + 100 * 2 + 1000 * 4


def test_the_first_stride_goes_down(read: Callable[[str], nn.Sequential]) -> None:
    net = read("Convolution 1 1 1 1 2 3\n1\n0\n")

    assert net(torch.zeros(1, 1, 6, 6)).shape == (1, 1, 3, 2)


def test_sum_pooling_divides_by_the_root_of_the_window(
    read: Callable[[str], nn.Sequential],
) -> None:
    net = read("SumPool 2 2 2 2\n")
    image = torch.arange(16.0).reshape(1, 1, 4, 4)

    # The first window holds 0, 1, 4, 5; the root of its size is 2.
    assert net(image)[0, 0, 0, 0].item() == Fraction(0 + 1 + 4 + 5, 2)


def test_sum_pooling_takes_windows_that_are_not_square() -> None:
    pool = zoo.SumPool((1, 4), (1, 4))

    assert pool(torch.ones(1, 1, 3, 8)).tolist() == [[[[2.0, 2.0]] * 3]]
    assert repr(pool) == "SumPool(window=(1, 4), stride=(1, 4))"


def test_flattening_puts_channels_last(read: Callable[[str], nn.Sequential]) -> None:
    net = read("Flatten\n")
    image = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])

    assert net(image).tolist() == [[1, 3, 2, 4]]


def test_layers_without_weights_become_those_of_torch(
    read: Callable[[str], nn.Sequential],
) -> None:
    net = read("MaxPool 2 2 2 2\n\nRect\nTanh\nFlatten\nSoftMax\n")

    assert [type(layer).__name__ for layer in net] == [
        "MaxPool2d",
        "ReLU",
        "Tanh",
        "FlattenChannelsLast",
        "Softmax",
    ]
    assert not net.training


def test_lenet5_as_text_has_the_weights_of_the_original(data: Path) -> None:
    folder = data / "lrp_toolbox" / "models_MNIST"
    net = zoo.read_toolbox(folder / "LeNet-5.txt")
    with np.load(folder / "LeNet-5_torch_layout.npz") as original:
        weight = torch.from_numpy(original["conv2_weight"]).float()

    # The text has three decimals.
    torch.testing.assert_close(net[6].weight, weight, rtol=0, atol=0.00051)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Linear 2 3\n1 2 3\n0 0 0\n", r"line 2 must hold 6 weights \(2, 3\), got '3 numbers'"),
        ("Linear 1 1\n1\n", "line 3 must hold biases, got 'the end of the file'"),
        ("Linear 1 1\none\n0\n", "line 2 must hold 1 weights.*could not convert"),
        ("Linear 2\n1 2\n0\n", "line 1 must hold the whole numbers 'in out'"),
        ("Rect\n\nLinear 0 1\n\n0\n", "line 3 must hold the whole numbers 'in out'"),
        ("Rect\nSigmoid\n", r"line 2 must hold a layer \(Linear, Convolution,.*got 'Sigmoid'"),
        ("Rect 3\n", "line 1 must hold"),
        ("SumPool 2 2 2\n", "'height width stride stride'"),
        ("MaxPool 2 2 2 x\n", "'height width stride stride'"),
        ("Convolution 1 1 1 1\n", "'height width channels filters stride stride'"),
        ("\n\n", "must hold layers, got an empty file"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(
    text: str, message: str, read: Callable[[str], nn.Sequential]
) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(text)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="there is no toolbox model"):
        zoo.read_toolbox(tmp_path / "none.txt")
