"""Transformations move pixels where geometry says, and nothing else."""

import pytest
import torch
from torch import Tensor

import whence
from whence.errors import InvalidInput
from whence.prototypes import (
    Crop,
    Flip,
    Jitter,
    Output,
    Pad,
    Perturb,
    Rotate,
    Scale,
    Transformation,
)
from whence.prototypes._transformations import turned

X = torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def dice(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def test_jitter_rolls_by_at_most_its_pixels_and_reaches_all() -> None:
    places = torch.zeros(1, 1, 7, 7)
    places[0, 0, 3, 3] = 1
    found = [Jitter(2).apply(places, dice(n))[0, 0].nonzero()[0].tolist() for n in range(300)]

    assert {tuple(each) for each in found} == {(y, x) for y in range(1, 6) for x in range(1, 6)}


def test_jitter_of_a_signal_rolls_time_only() -> None:
    signal = torch.arange(10.0).view(1, 2, 5)
    moved = Jitter(2).apply(signal, dice(3))

    assert torch.equal(moved[0, 1] - moved[0, 0], torch.full((5,), 5.0))


@pytest.mark.parametrize(("degrees", "times"), [(90.0, 1), (180.0, 2), (-90.0, -1), (0.0, 0)])
def test_right_angles_turn_pixels_exactly(degrees: float, times: int) -> None:
    torch.testing.assert_close(turned(X, degrees, "zeros"), X.rot90(times, (2, 3)))


def test_an_oblong_is_turned_without_shear() -> None:
    # A disc stays a disc, also where height and width differ.
    rows, columns = torch.meshgrid(torch.arange(41.0), torch.arange(61.0), indexing="ij")
    disc = (-((rows - 20) ** 2 + (columns - 30) ** 2) / 50).exp()[None, None]

    torch.testing.assert_close(turned(disc, 33.0), disc, rtol=0, atol=0.02)


def test_turning_keeps_within_its_degrees() -> None:
    point = torch.zeros(1, 1, 41, 41).double()
    point[0, 0, 20, 38] = 1
    rows = torch.arange(41.0).double()

    def height(number: int) -> float:
        image = Rotate(10.0).apply(point, dice(number))[0, 0]
        return float((image.sum(1) * rows).sum() / image.sum()) - 20

    heights = [height(number) for number in range(60)]
    assert 2.0 < max(heights) <= 3.3  # 18 sin(10 degrees) = 3.13, and a pixel's spread
    assert -3.3 <= min(heights) < -2.0


@pytest.mark.parametrize("factor", [2.0, 3.0])
def test_zooming_in_repeats_the_middle(factor: float) -> None:
    ramp = torch.arange(12.0).double().expand(1, 1, 12, 12)
    zoomed = Scale(factor, factor).apply(ramp, dice())

    # Positions are p + 1/2 - 6 around the centre; bilinear interpolation is exact on a ramp.
    expected = (torch.arange(12).double() + 0.5 - 6) / factor + 6 - 0.5
    torch.testing.assert_close(zoomed[0, 0, 3], expected)


def test_zooming_out_fills_as_told() -> None:
    ones = torch.ones(1, 1, 8, 8)
    small = Scale(0.5, 0.5, fill="zeros").apply(ones, dice())

    assert small.sum().item() == pytest.approx(16.0)
    assert torch.equal(Scale(0.5, 0.5).apply(ones, dice()), ones)


def test_scales_are_between_the_bounds() -> None:
    ramp = torch.arange(12.0).double().expand(1, 1, 12, 12)
    steps = [Scale(0.8, 1.25).apply(ramp, dice(n))[0, 0, 0, 5:7].diff().item() for n in range(80)]

    assert 0.8 <= min(steps) < 0.85  # 1 / 1.25
    assert 1.2 < max(steps) <= 1.25


def test_pad_adds_a_border() -> None:
    padded = Pad(2, value=0.5).apply(X, dice())

    assert padded.shape == (2, 3, 10, 10)
    assert torch.equal(padded[:, :, 2:-2, 2:-2], X)
    assert padded[:, :, :2].unique().tolist() == [0.5]
    assert torch.equal(Pad(2, value=None).apply(X, dice())[:, :, 0, 2:-2], X[:, :, 2])
    assert Pad(1).apply(torch.zeros(1, 2, 5), dice()).shape == (1, 2, 7)


def test_crops_are_windows_anywhere() -> None:
    image = torch.arange(9.0).view(1, 1, 3, 3)
    corners = {Crop(2).apply(image, dice(n))[0, 0, 0, 0].item() for n in range(60)}

    assert corners == {0.0, 1.0, 3.0, 4.0}
    assert Crop(2).apply(image, dice()).shape == (1, 1, 2, 2)


def test_a_crop_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="crop of 7 does not fit"):
        Crop(7).apply(X, dice())


def test_flip_mirrors_about_half_the_time() -> None:
    mirrored = [torch.equal(Flip().apply(X, dice(n)), X.flip(-1)) for n in range(200)]

    assert 70 < sum(mirrored) < 130


def test_noise_has_its_size_and_is_the_same_for_all_samples() -> None:
    x = torch.zeros(2, 50, 50).double()
    noise = Perturb(0.3).apply(x, dice())

    assert noise[0].std().item() == pytest.approx(0.3, rel=0.05)
    assert torch.equal(noise[0], noise[1])


ALL = [Jitter(3), Scale(), Rotate(20.0), Pad(2), Crop(4), Flip(), Perturb(0.1)]


@pytest.mark.parametrize("transformation", ALL, ids=repr)
def test_gradients_flow(transformation: Transformation) -> None:
    x = X[:, :1].clone().requires_grad_()

    assert torch.autograd.gradcheck(lambda given: transformation.apply(given, dice(5)), x)


@pytest.mark.parametrize("transformation", ALL, ids=repr)
def test_a_draw_does_not_depend_on_the_batch(transformation: Transformation) -> None:
    together = transformation.apply(X, dice(7))

    torch.testing.assert_close(together[1:], transformation.apply(X[1:], dice(7)))
    assert torch.equal(together, transformation.apply(X, dice(7)))


@pytest.mark.parametrize("transformation", [Jitter(1), Crop(1), Pad(1), Flip(), Scale(), Rotate()])
def test_positions_are_needed(transformation: Transformation) -> None:
    with pytest.raises(InvalidInput, match=r"needs (positions|images)"):
        transformation.apply(torch.zeros(2, 5), dice())


def test_scales_need_an_order() -> None:
    with pytest.raises(InvalidInput, match="0 < low <= high"):
        Scale(1.2, 0.9)


def test_copies_are_averaged_in_objective_and_slope() -> None:
    # The sum of x + noise over copies: the slope is 1 everywhere, the value differs by draws.
    seen: list[Tensor] = []

    def model(x: Tensor) -> Tensor:
        seen.append(x.detach().clone())
        return x.sum(1)

    found = whence.maximize(
        model,
        Output(),
        start=torch.zeros(1, 3).double(),
        transformations=[Perturb(1.0)],
        copies=4,
        optimiser="sgd",
        rate=0.5,
        steps=1,
    )

    drawn = torch.stack([each.sum() for each in seen[:4]])
    assert len(seen) == 2 * 4 + 1  # two places with four copies, and the end as it is
    assert drawn.unique().numel() == 4
    torch.testing.assert_close(found.history[0, 0], drawn.mean())
    torch.testing.assert_close(found.inputs, torch.full((1, 3), 0.5).double())
    assert found.objective.item() == pytest.approx(1.5)


def test_draws_are_new_in_each_step_and_the_same_for_a_seed() -> None:
    def run(seed: int) -> Tensor:
        return whence.maximize(
            lambda x: x.sum(1),
            Output(),
            start=torch.zeros(1, 3).double(),
            transformations=[Perturb(1.0)],
            optimiser="sgd",
            rate=1e-12,
            steps=5,
            seed=seed,
        ).history

    assert run(0).unique().numel() == 6
    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))


def test_a_transformed_batch_equals_one_at_a_time() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    net = net.double().eval()
    options = {"transformations": [Pad(1), Jitter(1), Scale(), Rotate(), Crop(4)], "copies": 2}

    def run(classes: list[int]) -> Tensor:
        start = whence.prototypes.Noise((1, 4, 4))
        return whence.maximize(net, classes, start=start, steps=6, **options).inputs  # type: ignore

    torch.testing.assert_close(run([0, 2]), torch.cat([run([0]), run([2])]), rtol=1e-9, atol=1e-12)
