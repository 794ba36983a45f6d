"""Parametrisations make the input they start from, and stay where inputs are valid."""

import math

import pytest
import torch
from torch import Tensor, nn

import whence
from whence.errors import InvalidInput
from whence.prototypes import (
    L2,
    Coordinates,
    Fourier,
    Generator,
    Noise,
    Output,
    Parametrisation,
    Pixels,
    Projected,
    SpectralNoise,
    Squashed,
    Zeros,
    colour_root,
)

COLOURS = torch.tensor([[1.0, 0.5, 0.2], [0.5, 0.8, 0.1], [0.2, 0.1, 0.6]]).double()


@pytest.mark.parametrize(
    "form",
    [
        Pixels(),
        Fourier((3, 5, 4)),
        Fourier((3, 5, 4), decay=0.0),
        Fourier((3, 5, 4), decay=2.0, decorrelate=COLOURS),
        Squashed(Pixels(), (-9.0, 9.0)),
        Projected(Fourier((3, 5, 4)), (-9.0, 9.0)),
        Squashed(Fourier((3, 5, 4)), (torch.full((3, 1, 1), -9.0), 9.0)),
        Generator(nn.Identity(), (3, 5, 4)),
        Generator(lambda z: z / 2, (3, 5, 4), encoder=lambda x: 2 * x),
    ],
    ids=repr,
)
def test_the_start_is_where_it_begins(form: Parametrisation) -> None:
    x0 = torch.randn(2, 3, 5, 4, dtype=torch.float64)

    torch.testing.assert_close(form.inputs(form.start(x0)), x0, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [(4, 4), (5, 4), (4, 5), (5, 5), (1, 3)])
def test_fourier_inverts_for_even_and_odd_sides(size: tuple[int, int]) -> None:
    x0 = torch.randn(2, 1, *size, dtype=torch.float64)
    form = Fourier((1, *size))

    torch.testing.assert_close(form.inputs(form.start(x0)), x0, rtol=1e-10, atol=1e-10)


def test_fourier_scales_by_one_over_the_frequency() -> None:
    # 4 x 6: frequencies (0, 1/4, -1/2, -1/4) down and (0, 1/6, 1/3, 1/2) across; least 1/6.
    scale = Fourier((1, 4, 6)).factors(torch.zeros(1).double())

    assert scale.shape == (4, 4)
    assert scale[0].tolist() == pytest.approx([6.0, 6.0, 3.0, 2.0])
    assert scale[1, 1].item() == pytest.approx(1 / math.hypot(1 / 4, 1 / 6))
    assert scale[2, 3].item() == pytest.approx(1 / math.hypot(1 / 2, 1 / 2))
    assert Fourier((1, 4, 6), decay=0.0).factors(scale).eq(1).all()
    torch.testing.assert_close(Fourier((1, 4, 6), decay=2.0).factors(scale), scale.square())


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (8, 5)])
def test_its_scale_is_how_far_noise_in_coefficients_moves_a_pixel(size: tuple[int, int]) -> None:
    # White noise of all pixels is white noise of all coefficients.
    form = Fourier((1, *size))
    white = Fourier((1, *size), decay=0.0).start(torch.randn(4000, 1, *size).double())

    assert form.inputs(white).std().item() == pytest.approx(form.scale, rel=0.03)
    assert Squashed(form, (0.0, 1.0)).scale == form.scale
    assert Fourier((3, *size), decay=0.0).scale == pytest.approx(1.0)


def test_the_usual_rate_is_divided_by_the_scale() -> None:
    form = Fourier((1, 6, 8))

    def rate(optimiser: str, form: Parametrisation) -> float:
        found = whence.maximize(
            total, Output(), parametrisation=form, start=torch.zeros(1, 1, 6, 8), steps=1,
            optimiser=optimiser,
        )  # fmt: skip
        return found.made["rate"]

    assert rate("adam", form) == pytest.approx(0.05 / form.scale)
    assert rate("sgd", form) == pytest.approx(0.1 / form.scale**2)
    assert rate("lbfgs", form) == 1.0
    assert rate("adam", Pixels()) == 0.05


def test_one_coefficient_is_one_wave() -> None:
    form = Fourier((1, 1, 8), decay=0.0)
    parameters = [torch.zeros(1, 1, 1, 5, 2).double()]
    parameters[0][0, 0, 0, 2, 0] = 1.0

    # Orthonormal over 8 pixels; a frequency inside of the half spectrum counts for its mirror too.
    wave = torch.tensor([2 * math.cos(2 * math.pi * 2 * p / 8) / math.sqrt(8) for p in range(8)])
    torch.testing.assert_close(form.inputs(parameters)[0, 0, 0], wave.double())


def test_fourier_finds_the_same_maximum_as_pixels() -> None:
    goal = torch.randn(3, 4, 4, dtype=torch.float64)
    form = Fourier((3, 4, 4), decorrelate=COLOURS)
    found = whence.maximize(
        lambda x: -(x - goal).square().sum((1, 2, 3)),
        Output(),
        parametrisation=form,
        start=torch.zeros(1, 3, 4, 4).double(),
        optimiser="lbfgs",
        steps=10,
    )

    torch.testing.assert_close(found.inputs[0], goal, rtol=1e-6, atol=1e-6)


def test_its_default_start_is_faint_noise_of_all_frequencies() -> None:
    form = Fourier((3, 16, 16))
    x0 = SpectralNoise(form, std=0.02).draw(torch.arange(4), [None] * 4)
    coefficients = form.start(x0)[0]

    assert x0.shape == (4, 3, 16, 16)
    # The columns in between are free; half of the numbers in the first and last repeat the others.
    assert coefficients[:, :, :, 1:-1].std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("form", "x0", "match"),
    [
        (Fourier((3, 4, 4)), torch.zeros(1, 3, 4, 5), "images of shape \\(3, 4, 4\\)"),
        (Coordinates(), torch.zeros(2, 3), "\\(batch, points, dimensions\\)"),
        (Generator(nn.Identity(), (2,)), torch.zeros(1, 3), "start must be codes.*encoder="),
        (Generator(nn.Identity(), (2,), encoder=nn.Identity()), torch.zeros(1, 3), "encoder must"),
    ],
)
def test_a_start_of_another_shape_is_an_error(
    form: Parametrisation, x0: Tensor, match: str
) -> None:
    with pytest.raises(InvalidInput, match=match):
        form.start(x0)


def test_fourier_needs_one_images_shape() -> None:
    with pytest.raises(InvalidInput, match=r"\(channels, height, width\)"):
        Fourier((4, 4))
    with pytest.raises(InvalidInput, match=r"matrix of \(3, 3\)"):
        Fourier((3, 4, 4), decorrelate=torch.eye(2))


def test_a_colour_root_is_a_root_of_the_covariance() -> None:
    images = torch.einsum("cd,ndhw->nchw", COLOURS, torch.randn(50, 3, 8, 8).double())
    root = colour_root(images)
    covariance = torch.cov(images.movedim(1, 0).flatten(1))

    ratio = (root @ root) / covariance
    torch.testing.assert_close(ratio, ratio[0, 0].expand(3, 3), rtol=1e-8, atol=0)
    torch.testing.assert_close(root, root.T)
    assert root.norm(dim=1).max().item() == pytest.approx(1.0)


def test_grey_images_have_no_colours() -> None:
    with pytest.raises(InvalidInput, match="several channels"):
        colour_root(torch.zeros(2, 1, 4, 4))


# Boxes.


def total(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1)


def test_pixels_are_clipped_to_a_box_for_each_channel() -> None:
    box = (torch.tensor([0.0, -1.0]).view(2, 1, 1), torch.tensor([0.5, 2.0]).view(2, 1, 1))
    found = whence.maximize(total, Output(), start=torch.zeros(1, 2, 2, 2), box=box, steps=60)

    assert found.inputs[0, 0].unique().tolist() == [0.5]
    assert found.inputs[0, 1].unique().tolist() == [2.0]


def test_a_start_outside_of_the_box_is_clipped_and_said() -> None:
    found = whence.maximize(total, Output(), start=torch.full((1, 2), 5.0), box=(0, 1), steps=1)

    assert found.inputs.tolist() == [[1.0, 1.0]]
    assert found.notes == ["The start was clipped to the box."]


def test_fourier_in_a_box_passes_through_a_sigmoid() -> None:
    goal = 3 * torch.rand(1, 4, 4) - 1
    found = whence.maximize(
        lambda x: -(x - goal).square().sum((1, 2, 3)),
        Output(),
        parametrisation=Fourier((1, 4, 4)),
        box=(-1.0, 2.0),
        optimiser="lbfgs",
        steps=5,
    )

    assert found.made["parametrisation"] == "Squashed(Fourier((1, 4, 4), decay=1), box=(-1, 2))"
    torch.testing.assert_close(found.inputs[0], goal, rtol=0, atol=1e-3)


def test_squashing_begins_a_thousandth_inside() -> None:
    form = Squashed(Pixels(), (0.0, 2.0))
    x = form.inputs(form.start(torch.tensor([[0.0, 2.0, 1.0]]).double()))

    torch.testing.assert_close(x, torch.tensor([[0.002, 1.998, 1.0]]).double())


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_fourier_can_be_clipped_to_a_box_instead(decay: float) -> None:
    goal = 3 * torch.rand(1, 1, 4, 5).double() - 1
    found = whence.maximize(
        lambda x: -(x - goal).square().sum((1, 2, 3)),
        Output(),
        parametrisation=Projected(Fourier((1, 4, 5), decay=decay), (0.0, 1.0)),
        start=torch.full((1, 1, 4, 5), 0.5).double(),
        optimiser="sgd",
        rate=0.01,
        steps=300,
    ).inputs

    # Best is the nearest place in the box. Steps of different size for different waves end near it.
    nearest = goal.clamp(0.0, 1.0)
    assert found.min() > -1e-12
    assert found.max() < 1 + 1e-12
    assert (found - nearest).square().mean() < 0.3 * (nearest - 0.5).square().mean()


def test_fourier_clipped_to_a_box_reaches_what_is_inside() -> None:
    goal = torch.rand(1, 1, 4, 5).double()
    found = whence.maximize(
        lambda x: -(x - goal).square().sum((1, 2, 3)),
        Output(),
        parametrisation=Projected(Fourier((1, 4, 5)), (0.0, 1.0)),
        start=torch.zeros(1, 1, 4, 5).double(),
        optimiser="sgd",
        rate=0.01,
        steps=300,
    ).inputs

    torch.testing.assert_close(found, goal, rtol=0, atol=1e-3)


def test_projected_pixels_are_pixels_in_a_box() -> None:
    x0 = torch.randn(2, 3).double()
    box = (torch.tensor([-0.5, 0.0, 0.5]), 2.0)
    one, other = (
        whence.maximize(total, Output(), start=x0, parametrisation=form, steps=30)
        for form in (Projected(Pixels(), box), Pixels(box))
    )

    assert torch.equal(one.inputs, other.inputs)
    assert torch.equal(one.history, other.history)


@pytest.mark.parametrize("box", [(1.0, 0.0), (torch.zeros(2), torch.tensor([1.0, 0.0]))])
def test_a_box_without_room_is_an_error(box: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="low < high everywhere"):
        whence.maximize(total, Output(), start=torch.zeros(1, 2), box=box)


def test_a_generators_output_is_clipped_to_the_box_and_its_code_to_its_own() -> None:
    decoder = nn.Linear(2, 3, bias=False)
    decoder.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    high = torch.tensor([0.6, 3.0])
    form = Generator(decoder, (2,), box=(torch.zeros(2), high))
    found = whence.maximize(total, Output(), parametrisation=form, box=(0.0, 1.0), steps=100)

    # The second output is clipped at a code of 1; the third keeps pulling the code until it clips.
    assert found.parameters[0][0, 0].item() == pytest.approx(0.6)
    assert 1.0 <= found.parameters[0][0, 1].item() <= 3.0
    assert found.inputs[0].tolist() == pytest.approx([0.6, 1.0, 1.0])


def test_a_code_can_begin_at_noise_zeros_or_a_given_place() -> None:
    form = Generator(nn.Identity(), (2,))

    def begin(start: object) -> Tensor:
        return whence.maximize(  # type: ignore[arg-type]
            total, Output(), parametrisation=form, start=start, optimiser="sgd", rate=1e-9, steps=1
        ).inputs

    given = torch.tensor([[3.0, 4.0]])
    assert begin(None).abs().max() < 1e-6
    assert begin(Zeros((2,))).abs().max() < 1e-6
    assert begin(Noise((2,))).abs().min() > 1e-3
    torch.testing.assert_close(begin(given), given)


def test_a_start_in_inputs_goes_through_the_encoder() -> None:
    form = Generator(lambda z: z.repeat(1, 2), (2,), encoder=lambda x: x[:, :2])
    x0 = torch.tensor([[1.0, 2.0, 1.0, 2.0]])
    found = whence.maximize(
        total, Output(), parametrisation=form, start=x0, optimiser="sgd", rate=1e-9, steps=1
    )

    torch.testing.assert_close(found.inputs, x0)


def test_a_codes_prior_counts_as_prior() -> None:
    form = Generator(lambda z: 2 * z, (2,), prior=L2(0.5))
    start = torch.tensor([[1.0, 3.0]])
    found = whence.maximize(
        total, Output(), parametrisation=form, start=start, prior=L2(1.0), steps=1
    )

    assert found.history[0].item() == 8.0
    assert found.prior_history[0].item() == -0.5 * 10 - 4 * 10


def test_the_authors_way_of_climbing_in_code_space_can_be_written() -> None:
    # z <- 0.99 (z + rate g / mean|g|), rate falling linearly; g = (1, 3) has the mean size 2.
    form = Generator(lambda z: z * torch.tensor([1.0, 3.0]), (2,), box=(0.0, 100.0))
    found = whence.maximize(
        total,
        Output(),
        parametrisation=form,
        operations=[whence.prototypes.Decay(0.99)],
        optimiser="sgd",
        rate=8.0,
        schedule="linear",
        normalise=True,
        steps=2,
        keep="last",
    )

    first = torch.tensor([4.0, 12.0]) * 0.99
    second = (first + torch.tensor([2.0, 6.0])) * 0.99
    torch.testing.assert_close(found.parameters[0][0], second)


# Coordinates.

TRIANGLE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).double()


def test_points_stay_within_the_radius() -> None:
    form = Coordinates(reference=TRIANGLE, radius=0.25)
    pull = torch.tensor([[3.0, 4.0], [0.0, -1.0], [0.0, 0.0]]).double()
    found = whence.maximize(
        lambda x: (x * pull).sum((1, 2)),
        Output(),
        parametrisation=form,
        start=TRIANGLE[None],
        optimiser="sgd",
        steps=100,
    )

    moved = found.inputs[0] - TRIANGLE
    expected = 0.25 * torch.tensor([[0.6, 0.8], [0.0, -1.0], [0.0, 0.0]]).double()
    torch.testing.assert_close(moved, expected)


def test_a_centred_molecule_does_not_drift() -> None:
    form = Coordinates(reference=TRIANGLE, centred=True)
    found = whence.maximize(
        lambda x: x[:, 0, 0] * 3, Output(), parametrisation=form, start=TRIANGLE[None], steps=20
    )

    torch.testing.assert_close(found.inputs[0].mean(0), TRIANGLE.mean(0))
    assert found.inputs[0, 0, 0] > 0.5


def test_free_coordinates_are_pixels() -> None:
    x0, net = torch.randn(2, 3, 2).double(), nn.Sequential(nn.Flatten(), nn.Linear(6, 1)).double()
    free, pixels = (
        whence.maximize(net, Output(), parametrisation=form, start=x0, steps=5)
        for form in (Coordinates(), Pixels())
    )

    assert torch.equal(free.inputs, pixels.inputs)


def test_each_sample_can_have_a_reference_of_its_own_also_in_groups() -> None:
    x0 = torch.randn(3, 4, 2).double()
    form = Coordinates(reference=x0, radius=0.1)

    def run(size: int | None) -> Tensor:
        return whence.maximize(
            lambda x: x.square().sum((1, 2)),
            Output(),
            parametrisation=form,
            start=x0,
            steps=20,
            batch_size=size,
        ).inputs

    assert torch.equal(run(1), run(None))
    assert (run(None) - x0).norm(dim=-1).max() <= 0.1 + 1e-12


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"radius": 1.0}, "need reference="),
        ({"centred": True}, "need reference="),
        ({"radius": 0.0, "reference": TRIANGLE}, "above 0"),
    ],
)
def test_a_trust_region_needs_a_centre_and_room(options: dict[str, object], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        Coordinates(**options)  # type: ignore[arg-type]
