"""Inpaint: removed pixels from their neighbours, against a direct solve of the same system."""

import imputation
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from whence._draws import quick_normal
from whence.errors import InvalidInput, WhenceError
from whence.metrics import Batch, Inpaint, PixelFlipping, _multigrid
from whence.metrics._imputation import _STREAM

MASKS = {"random": imputation.random_masks, "blobs": imputation.blob_masks}


def filled(x: Tensor, gone: Tensor, noise: float = 0.0, **about) -> Tensor:
    """gone: (samples, 1 or channels, height, width)."""
    batch = Batch(nn.Identity().eval(), x, 0, **about)
    return Inpaint(noise).fill(batch, 0)(slice(0, len(x)), gone[:, None])[:, 0]


def direct(x: Tensor, gone: Tensor) -> Tensor:
    pairs = zip(x.double().numpy(), gone[:, 0].numpy(), strict=True)
    return torch.from_numpy(np.stack([imputation.direct(*each) for each in pairs]))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize(("count", "size"), [(32, 32), (2, 224)])
def test_it_is_the_direct_solution(kind: str, share: float, count: int, size: int) -> None:
    x, gone = torch.randn(count, 3, size, size), MASKS[kind](count, size, share)

    torch.testing.assert_close(filled(x, gone).double(), direct(x, gone), atol=1e-3, rtol=0)


def _one_known(size: int, row: int, column: int) -> Tensor:
    gone = torch.ones(1, 1, size, size, dtype=torch.bool)
    gone[..., row, column] = False
    return gone


def _stripes(size: int, every: int) -> Tensor:
    """Of all columns one of `every` is known."""
    return (torch.arange(size) % every != 0).expand(1, 1, size, size)


def _frame(size: int, width: int) -> Tensor:
    gone = torch.ones(1, 1, size, size, dtype=torch.bool)
    gone[..., width:-width, width:-width] = False
    return gone


HARD = {
    "one corner known": _one_known(32, 0, 0),
    "one pixel known": _one_known(37, 20, 11),
    "one column known": _stripes(40, 40),
    "every fifth column known": _stripes(40, 5),
    "every other column known": _stripes(33, 2),
    "one column gone": ~_stripes(32, 32),
    "the frame gone": _frame(48, 5),
    "the inside gone": ~_frame(48, 1),
    "half gone": _stripes(64, 64) & (torch.arange(64) < 40)[:, None],
    "a chequerboard": (torch.arange(31)[:, None] + torch.arange(31)).remainder(2).eq(0)[None, None],
    "islands": (_stripes(45, 9) | _stripes(45, 9).mT),
    "a comb": _stripes(50, 4) & (torch.arange(50) > 3)[:, None],
    "thin walls far apart": _stripes(82, 27).mT[..., :67],
    "a thin picture": imputation.blob_masks(1, 75, 0.7)[:, :, :9],
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 3e-4), (torch.float64, 1e-8)])
def test_hard_masks_are_solved_too(name: str, dtype: torch.dtype, within: float) -> None:
    gone = HARD[name]
    x = torch.rand(1, 3, *gone.shape[2:], dtype=dtype)

    torch.testing.assert_close(filled(x, gone).double(), direct(x, gone), atol=within, rtol=0)


@pytest.mark.parametrize("kind", MASKS)
def test_it_is_the_direct_solution_to_many_digits_in_double_precision(kind: str) -> None:
    x, gone = torch.randn(3, 3, 65, 40).double(), MASKS[kind](3, 65, 0.6)[..., :40]

    torch.testing.assert_close(filled(x, gone), direct(x, gone), atol=1e-8, rtol=0)


def test_a_single_pixel_is_the_weighted_mean_of_its_neighbours() -> None:
    x = torch.tensor([[1.0, 2, 3], [4, 99, 6], [7, 8, 9]])[None, None].double()
    gone = torch.zeros_like(x, dtype=torch.bool)
    gone[..., 1, 1] = True

    expected = (2 + 4 + 6 + 8) / 6 + (1 + 3 + 7 + 9) / 12
    assert filled(x, gone)[0, 0, 1, 1] == pytest.approx(expected, abs=1e-9)


def test_weights_are_scaled_to_one_at_the_border() -> None:
    x = torch.tensor([[99.0, 2, 3], [4, 5, 6], [7, 8, 9]])[None, None].double()
    gone = torch.zeros_like(x, dtype=torch.bool)
    gone[..., 0, 0] = True

    expected = (2 / 6 + 4 / 6 + 5 / 12) / (5 / 12)  # two neighbours beside it, one at the corner
    assert filled(x, gone)[0, 0, 0, 0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", MASKS)
def test_linear_pictures_are_found_again(kind: str) -> None:
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    x = torch.stack([rows, columns, 3 * rows - columns])[None].double().repeat(2, 1, 1, 1)
    gone = torch.zeros(2, 1, 48, 48, dtype=torch.bool)
    gone[..., 1:-1, 1:-1] = MASKS[kind](2, 46, 0.7)

    torch.testing.assert_close(filled(x, gone), x, atol=1e-7, rtol=0)


def test_what_was_removed_leaves_no_trace() -> None:
    x, gone = torch.randn(2, 3, 16, 16), imputation.random_masks(2, 16, 0.5)
    other = torch.where(gone, torch.randn_like(x), x)

    assert torch.equal(filled(x, gone), filled(other, gone))


def test_known_pixels_stay_as_they_are_to_the_bit() -> None:
    x, gone = torch.randn(2, 3, 16, 16), imputation.random_masks(2, 16, 0.5)
    known = ~gone.expand_as(x)

    assert torch.equal(filled(x, gone, 0.1)[known], x[known])


def test_with_everything_removed_it_is_the_mean_of_the_channel_and_noise() -> None:
    x = torch.randn(2, 3, 8, 8).double()
    gone = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    keys = Batch(nn.Identity().eval(), x, 0).keys

    expected = x.mean((2, 3), keepdim=True) + 0.1 * quick_normal(keys, (3, 8, 8), _STREAM)
    torch.testing.assert_close(filled(x, gone, 0.1), expected)


def test_with_nothing_removed_it_is_the_picture() -> None:
    x = torch.randn(2, 3, 8, 8)

    assert torch.equal(filled(x, torch.zeros(2, 1, 8, 8, dtype=torch.bool), 0.1), x)


def test_noise_is_added_to_the_solution_and_belongs_to_the_sample() -> None:
    x, gone = torch.randn(4, 3, 16, 16).double(), imputation.random_masks(4, 16, 0.5)
    together = filled(x, gone, 0.1, ids=list("abcd"))
    alone = filled(x[2:3], gone[2:3], 0.1, ids=["c"])
    noise = ((together - filled(x, gone)) / 0.1)[gone.expand_as(x)]

    torch.testing.assert_close(together[2:3], alone, atol=1e-9, rtol=0)
    assert abs(float(noise.std()) - 1) < 0.1
    assert abs(float(noise.mean())) < 0.1


def test_a_sample_does_not_depend_on_those_beside_it() -> None:
    x = torch.randn(4, 3, 64, 64).double()
    gone = torch.cat([imputation.random_masks(2, 64, 0.3), imputation.blob_masks(2, 64, 0.9)])
    alone = torch.cat([filled(x[row : row + 1], gone[row : row + 1]) for row in range(4)])

    torch.testing.assert_close(filled(x, gone), alone, atol=1e-12, rtol=0)


def test_each_channel_may_have_a_mask_of_its_own() -> None:
    x, gone = torch.randn(2, 3, 16, 16).double(), torch.rand(2, 3, 16, 16) < 0.5
    channels = [filled(x[:, [k]], gone[:, [k]]) for k in range(3)]

    torch.testing.assert_close(filled(x, gone), torch.cat(channels, 1), atol=1e-9, rtol=0)


def test_half_precision_stays_half_precision() -> None:
    x, gone = torch.rand(2, 3, 16, 16), imputation.random_masks(2, 16, 0.5)
    found = filled(x.half(), gone)

    assert found.dtype == torch.float16
    torch.testing.assert_close(found.float(), filled(x, gone), atol=2e-3, rtol=0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (7, 3)])
def test_small_and_narrow_pictures_are_solved_too(shape: tuple[int, int]) -> None:
    x = torch.randn(3, 1, *shape).double()
    gone = torch.zeros(3, 1, *shape, dtype=torch.bool)
    gone[1, 0, -1, -1] = True
    gone[2, 0, 0, 1:] = True
    found = filled(x, gone)

    assert bool(found.isfinite().all())
    assert torch.equal(found[0], x[0])


def test_pixels_that_do_not_settle_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_multigrid, "_LIMIT", 2)

    with pytest.raises(WhenceError, match="must settle within 2 cycles"):
        filled(torch.rand(1, 1, 32, 32), imputation.blob_masks(1, 32, 0.5))


def test_the_result_is_an_ordinary_tensor() -> None:
    x = torch.rand(2, 1, 16, 16)
    found = filled(x, imputation.random_masks(2, 16, 0.5))

    assert not found.is_inference()
    assert (found.requires_grad_() * 2).sum().backward() is None


def test_tables_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Inpaint needs pictures"):
        Inpaint().fill(Batch(nn.Identity().eval(), torch.rand(2, 5), 0), 0)


def _net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()


@pytest.mark.parametrize("channels", [1, 3])
def test_imputation_works_for_colour_pictures(channels: int) -> None:
    """Quantus's default imputation fails for every RGB picture, with relevance of 1 or 3 channels:
    it ranks over channels and pixels, and fills in pixels."""
    net, x = _net().double(), torch.rand(4, 3, 8, 8).double()
    scores = PixelFlipping(step=8, replacement=Inpaint())(net, x, torch.rand(4, channels, 8, 8))

    assert scores.values.shape == (4,)
    assert bool(scores.values.isfinite().all())


def test_scores_with_imputation_do_not_depend_on_the_batch_size() -> None:
    """Quantus's average over samples is that of the first batch."""
    net, x, relevance = _net().double(), torch.rand(8, 3, 8, 8).double(), torch.rand(8, 3, 8, 8)
    metric = PixelFlipping(step=8, replacement=Inpaint(draws=2))
    whole = metric(net, x, relevance, ids=range(8)).values
    parts = [
        metric(net, x[rows], relevance[rows], ids=range(8)[rows], chunk=3).values
        for rows in (slice(0, 4), slice(4, 8))
    ]

    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.cat(parts).mean(), whole.mean(), atol=1e-9, rtol=0)
