"""Random numbers that belong to a sample."""

import pytest
import torch

from whence._draws import keys_of, normal, quick_normal, shuffles, uniform

MANY = keys_of(range(4000), 0)


def splitmix(state: int, steps: int) -> int:
    """The published generator: its state grows by a constant, and the finaliser mixes it."""
    z = (state + steps * 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


def finalised(z: int) -> int:
    return splitmix((z - 0x9E3779B97F4A7C15) % 2**64, 1)


def test_uniform_numbers_are_those_of_the_generator_in_plain_integers() -> None:
    key = int(keys_of(["a"], 7)[0])
    start = finalised((key + 0xD1342543DE82EF95 * (4 * 3 + 1)) % 2**64)

    expected = [(splitmix(start, step) >> 11) / 2**53 for step in (1, 2, 3, 4)]
    assert uniform(keys_of(["a"], 7), (2, 2), stream=3).flatten().tolist() == expected


@pytest.mark.parametrize("draw", [uniform, normal, quick_normal])
def test_numbers_do_not_depend_on_who_else_is_drawn_for(draw) -> None:
    together = draw(keys_of(["a", "b", "c"], 0), (5,), 2)
    alone = draw(keys_of(["c"], 0), (5,), 2)

    assert torch.equal(together[2:], alone)


def test_a_shuffle_does_not_depend_on_who_else_is_shuffled_for() -> None:
    assert torch.equal(shuffles(MANY[5:9], 7)[2:3], shuffles(MANY[7:8], 7))


def test_seeds_ids_and_streams_give_other_numbers() -> None:
    drawn = [
        uniform(keys_of(["a"], 0), (4,)),
        uniform(keys_of(["b"], 0), (4,)),
        uniform(keys_of(["a"], 1), (4,)),
        uniform(keys_of(["a"], 0), (4,), stream=1),
    ]

    assert len({tuple(each.flatten().tolist()) for each in drawn}) == 4


def test_uniform_numbers_fill_the_unit_interval_evenly() -> None:
    drawn = uniform(MANY, (25,)).flatten()  # 100,000 numbers
    counts = torch.histc(drawn, bins=10, min=0, max=1)

    assert float(drawn.min()) >= 0
    assert float(drawn.max()) < 1
    assert float(((counts - 1e4) ** 2 / 1e4).sum()) < 27.9  # chi square, 9 degrees: p = 0.001


@pytest.mark.parametrize("draw", [normal, quick_normal])
def test_normal_numbers_have_the_moments_of_the_normal(draw) -> None:
    drawn = draw(MANY, (25,)).double().flatten()

    assert abs(float(drawn.mean())) < 4 / 1e5**0.5
    assert abs(float((drawn**2).mean()) - 1) < 4 * (2 / 1e5) ** 0.5
    assert abs(float((drawn**4).mean()) - 3) < 4 * (96 / 1e5) ** 0.5


def test_quick_normal_numbers_fill_the_quantiles_of_the_normal_evenly() -> None:
    shares = torch.special.ndtr(quick_normal(MANY, (25,)).double().flatten())
    counts = torch.histc(shares, bins=10, min=0, max=1)

    assert float(((counts - 1e4) ** 2 / 1e4).sum()) < 27.9  # chi square, 9 degrees: p = 0.001


@pytest.mark.parametrize("power", [1, 2])
def test_quick_normal_numbers_do_not_go_with_their_neighbours(power: int) -> None:
    field = quick_normal(MANY[:8], (2, 64, 64)).double() ** power
    field = (field - field.mean()) / field.std()
    other = quick_normal(MANY[:8], (2, 64, 64), stream=1).double() ** power
    other = (other - other.mean()) / other.std()
    pairs = [
        field[..., 1:] * field[..., :-1],
        field[..., 1:, :] * field[..., :-1, :],
        field[:, 0] * field[:, 1],  # the two numbers of Box and Muller
        field[1:] * field[:-1],
        field * other,
    ]

    assert max(abs(float(each.mean())) * each.numel() ** 0.5 for each in pairs) < 4


def test_quick_normal_numbers_are_the_same_in_small_and_large_batches() -> None:
    many = quick_normal(MANY[:5], (3, 131, 131))

    assert torch.equal(many[3:4], quick_normal(MANY[3:4], (3, 131, 131)))
    assert many.dtype == torch.float32
    assert len(many.flatten().unique()) > 0.97 * many.numel()


def test_each_order_of_three_is_as_likely() -> None:
    codes = (shuffles(MANY, 3) * torch.tensor([9, 3, 1])).sum(1)
    counts = codes.unique(return_counts=True)[1].double()

    assert len(counts) == 6
    assert float(((counts - 4000 / 6) ** 2 / (4000 / 6)).sum()) < 20.5  # 5 degrees: p = 0.001


def test_a_random_order_says_nothing_about_the_random_values() -> None:
    first = shuffles(MANY, 50)[:, :1]  # the pixel that goes first
    drawn = uniform(MANY, (50,)).gather(1, first)  # and what it becomes

    assert abs(float(drawn.mean()) - 0.5) < 4 * (1 / 12 / 4000) ** 0.5
