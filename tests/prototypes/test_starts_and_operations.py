"""Where ascents begin, and what is done between their steps."""

import math

import pytest
import torch
from torch import Tensor, nn

import whence
from whence.errors import InvalidInput
from whence.prototypes import (
    Blur,
    ClassMeans,
    Decay,
    Fourier,
    Layer,
    Mean,
    Noise,
    Operation,
    Output,
    Prototypes,
    Start,
    Zeros,
)

DATA = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]).double()
LABELS = torch.tensor([4, 7, 4])


def begin(start: object, goal: object = (4, 7), **options: object) -> Tensor:
    """Where an ascent begins: one step too small to see."""
    net = nn.Linear(2, 8).double()
    options |= {"start": start, "optimiser": "sgd", "rate": 1e-15, "steps": 1}
    return whence.maximize(net, goal, **options).inputs  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (Zeros((2,)), [[0, 0], [0, 0]]),
        (Mean(DATA), [[3, 5], [3, 5]]),
        (ClassMeans(DATA, LABELS), [[3, 5.5], [3, 4]]),
        (DATA[:1], [[1, 2], [1, 2]]),
        (DATA[:2], [[1, 2], [3, 4]]),
        (DATA[:2].float(), [[1, 2], [3, 4]]),
    ],
    ids=repr,
)
def test_a_start_gives_each_class_its_first_input(start: object, expected: list[float]) -> None:
    torch.testing.assert_close(begin(start), torch.tensor(expected).double())


def test_starts_are_given_for_classes_or_for_each_prototype() -> None:
    each = torch.arange(8.0).view(4, 2).double()

    torch.testing.assert_close(begin(DATA[:2], count=2), DATA[[0, 0, 1, 1]])
    torch.testing.assert_close(begin(each, count=2), each)
    torch.testing.assert_close(begin(DATA[:2], goal=3, count=2), DATA[:2])


def test_a_batch_of_starts_is_a_batch_of_prototypes() -> None:
    torch.testing.assert_close(begin(DATA, goal=4), DATA)
    torch.testing.assert_close(begin(DATA, goal=Layer("")), DATA)
    torch.testing.assert_close(begin(DATA, goal=4, count=2), DATA[[0, 0, 1, 1, 2, 2]])


def test_noise_belongs_to_class_number_and_seed() -> None:
    noise = Noise((2,), std=2.0, mean=DATA[0])
    both = begin(noise, goal=[4, 7], count=2)

    assert both.unique(dim=0).shape == (4, 2)
    torch.testing.assert_close(begin(noise, goal=[7], count=2), both[2:])
    torch.testing.assert_close(begin(noise, goal=[5, 7, 4], count=1)[1:], both[[2, 0]])
    assert not torch.equal(begin(noise, goal=[7], count=2, seed=1), both[2:])


def test_noise_has_its_mean_and_size() -> None:
    drawn = Noise((100, 100), std=0.5, mean=3.0).draw(torch.arange(2), [None, None])

    assert drawn.mean().item() == pytest.approx(3.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("start", "goal", "match"),
    [
        (None, 1, "start= must say where Pixels\\(\\) begins"),
        (DATA.long(), 1, "must hold float inputs"),
        (DATA[0], 1, "with a batch axis in front"),
        (DATA[:0], 1, "with a batch axis in front"),
        (DATA / 0.0, 1, "must be finite"),
        (DATA, [1, 2], "has 1, 2 or 2 inputs, got 3"),
        (ClassMeans(DATA, LABELS), 3, "No sample has the label 3"),
        (ClassMeans(DATA, LABELS), Layer(""), "objective that names classes"),
    ],
)
def test_a_start_that_cannot_be_is_an_error(start: object, goal: object, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        begin(start, goal)


def test_labels_must_fit_the_data() -> None:
    with pytest.raises(InvalidInput, match="one label for each of 3 samples"):
        ClassMeans(DATA, LABELS[:2])


class Short(Start):
    """Draws too little."""

    def draw(self, keys: Tensor, classes: object) -> Tensor:
        return torch.zeros(1, 2)


def test_a_start_of_ones_own_is_checked() -> None:
    with pytest.raises(InvalidInput, match="one input for each of 2"):
        begin(Short())


# Operations. Nothing pulls here: what changes is what operations do.


def stay(operation: Operation, x0: Tensor, steps: int) -> Prototypes:
    return whence.maximize(
        lambda x: (x * 0).flatten(1).sum(1),
        Output(),
        start=x0,
        operations=[operation],
        optimiser="sgd",
        steps=steps,
        keep="last",
    )


def test_decay_comes_every_so_many_steps() -> None:
    x0 = torch.ones(1, 2).double()

    assert stay(Decay(0.5), x0, 3).inputs.tolist() == [[0.125, 0.125]]
    assert stay(Decay(0.5, every=2), x0, 5).inputs.tolist() == [[0.25, 0.25]]


def test_blur_is_the_gaussian_of_its_width() -> None:
    point = torch.zeros(1, 1, 21, 21).double()
    point[0, 0, 10, 10] = 1
    blurred = stay(Blur(1.5, every=1), point, 1).inputs[0, 0]

    places = torch.arange(21).double() - 10
    bell = torch.where(places.abs() <= 5, (-places.square() / (2 * 1.5**2)).exp(), 0)
    torch.testing.assert_close(blurred, torch.outer(bell, bell) / bell.sum() ** 2)


def test_blur_leaves_flat_pictures_and_signals_of_any_kind() -> None:
    flat = torch.full((2, 3, 4, 5), 0.7).double()
    signal = torch.zeros(1, 2, 9).double()
    signal[0, 1, 4] = 1
    blurred = stay(Blur(1.0, every=1), signal, 1).inputs

    torch.testing.assert_close(stay(Blur(2.0, every=1), flat, 3).inputs, flat)
    assert blurred[0, 0].abs().max() == 0
    assert blurred[0, 1, 3].item() == pytest.approx(
        math.exp(-0.5) / sum(math.exp(-(k**2) / 2) for k in range(-3, 4))
    )


def test_blur_comes_every_few_steps() -> None:
    point = torch.zeros(1, 1, 9, 9).double()
    point[0, 0, 4, 4] = 1

    assert torch.equal(stay(Blur(1.0, every=4), point, 3).inputs, point)
    assert not torch.equal(stay(Blur(1.0, every=4), point, 4).inputs, point)


def test_blur_needs_positions_and_the_input_itself() -> None:
    with pytest.raises(InvalidInput, match="Blur needs positions"):
        stay(Blur(), torch.zeros(1, 4), 4)
    with pytest.raises(InvalidInput, match="works on inputs, but the parameters of Fourier"):
        whence.maximize(
            lambda x: x.sum((1, 2, 3)),
            Output(),
            parametrisation=Fourier((1, 4, 4)),
            operations=[Blur()],
        )


@pytest.mark.parametrize(("sigma", "every"), [(0.0, 4), (1.0, 0)])
def test_blur_needs_a_width_and_a_rhythm(sigma: float, every: int) -> None:
    with pytest.raises(InvalidInput, match="sigma > 0 and every >= 1"):
        Blur(sigma, every)


class Shake(Operation):
    """Noise between steps."""

    every = 1

    def change(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        return parameter + torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


def test_operations_draw_from_the_seed_and_anew_in_each_step() -> None:
    x0 = torch.zeros(1, 2).double()
    one, two = stay(Shake(), x0, 1).inputs, stay(Shake(), x0, 2).inputs

    assert torch.equal(two, stay(Shake(), x0, 2).inputs)
    assert not torch.allclose(two, 2 * one)


def test_operations_stay_in_the_box() -> None:
    found = whence.maximize(
        lambda x: x.sum(1), Output(), start=torch.ones(1, 2), operations=[Decay(1.5)], box=(0, 1.2),
        steps=3,
    )  # fmt: skip

    assert found.inputs.tolist() == [[pytest.approx(1.2)] * 2]
