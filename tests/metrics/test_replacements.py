"""What replaced elements become, by hand."""

import pytest
import torch

from perturbing import Scorer
from whence.errors import InvalidInput
from whence.metrics import Batch, Blur, Constant, Mean, Replacement, SignFlip, Uniform

X = torch.rand(3, 2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
GONE = torch.rand(3, 4, 1, 5, 6, generator=torch.Generator().manual_seed(1)) < 0.5


def filled(replacement: Replacement, x=X, gone=GONE, draw: int = 0, **about):
    return replacement.fill(Batch(Scorer(), x, **about), draw)(slice(0, len(x)), gone)


@pytest.mark.parametrize("replacement", [Constant(7.0), Mean(), SignFlip(), Uniform(), Blur(1.0)])
def test_what_stays_stays(replacement: Replacement) -> None:
    found, stays = filled(replacement), ~GONE.expand(3, 4, 2, 5, 6)

    assert torch.equal(found[stays], X[:, None].expand_as(found)[stays])
    assert not torch.equal(found, X[:, None].expand_as(found))


def test_values_by_hand() -> None:
    every = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    mean = X.mean((2, 3), keepdim=True).expand_as(X)

    assert filled(Constant(7.0), gone=every)[:, 0].unique().tolist() == [7]
    torch.testing.assert_close(filled(Mean(), gone=every)[:, 0], mean)
    torch.testing.assert_close(filled(SignFlip(), gone=every)[:, 0], -X)
    torch.testing.assert_close(filled(SignFlip(0, 1), gone=every)[:, 0], 1 - X)


def test_flipped_twice_is_untouched() -> None:
    every = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    once = filled(SignFlip(0, 1), gone=every)[:, 0]

    torch.testing.assert_close(filled(SignFlip(0, 1), x=once, gone=every)[:, 0], X)


def test_noise_stays_within_its_bounds_and_differs_by_draw_and_sample() -> None:
    every = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    found = filled(Uniform(2.0, 3.0), gone=every)
    other = filled(Uniform(2.0, 3.0), gone=every, draw=1)

    assert 2 <= float(found.min()) < float(found.max()) < 3
    assert not torch.equal(found, other)
    assert not torch.equal(found[0], found[1])


def test_noise_has_the_range_of_each_channel_by_default() -> None:
    every, scaled = (
        torch.ones(1, 1, 1, 1, 1, dtype=torch.bool),
        X * torch.tensor([1.0, 100]).view(2, 1, 1),
    )
    found = filled(Uniform(), x=scaled, gone=every)[:, 0]

    assert bool((found >= scaled.amin((2, 3), keepdim=True)).all())
    assert bool((found <= scaled.amax((2, 3), keepdim=True)).all())


def test_noise_belongs_to_the_sample() -> None:
    every = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    whole = filled(Uniform(0, 1), gone=every, ids=["a", "b", "c"])
    alone = filled(Uniform(0, 1), x=X[1:2], gone=every, ids=["b"])

    assert torch.equal(whole[1], alone[0])


def test_blur_keeps_constants_and_the_sum_of_a_spot() -> None:
    every, spot = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool), torch.zeros(1, 1, 21, 21).double()
    spot[0, 0, 10, 10] = 1
    found = filled(Blur(2.0), x=spot, gone=every)[0, 0, 0]

    assert float(found.sum()) == pytest.approx(1)
    assert float(found[10, 12] / found[10, 10]) == pytest.approx(2.718281828 ** (-4 / 8))
    flat = torch.full((1, 1, 9, 9), 3.0).double()
    torch.testing.assert_close(filled(Blur(2.0), x=flat, gone=every)[0, 0], flat[0])


def test_blur_is_for_pictures() -> None:
    with pytest.raises(InvalidInput, match="Blur needs pictures"):
        filled(Blur(), x=X[:, 0, 0], gone=GONE[:, :, 0, 0])
