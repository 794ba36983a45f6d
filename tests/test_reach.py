"""What each value looks at, operation by operation, where the arithmetic could go astray."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from whence._reach import Follower, Reach

WHOLE, NONE = (0, 5), (0, -1)


def looked(function: Callable[[Tensor], Tensor], x: Tensor | None = None) -> list[tuple[int, int]]:
    """First and last coordinate that each value of the result looks at, along axis 1."""
    leaf = torch.arange(6.0).view(1, 6) if x is None else x
    with torch.no_grad(), Follower(leaf, (1,)) as following:
        result = function(leaf)
    reach = following.reach(result)
    return list(zip(reach.low.flatten().tolist(), reach.high.flatten().tolist(), strict=True))


def own(*numbers: int) -> list[tuple[int, int]]:
    """Values that look at one coordinate each."""
    return [(number, number) for number in numbers]


MOVES: dict[str, tuple[Callable[[Tensor], Tensor], list[tuple[int, int]]]] = {
    "a view of a view": (lambda x: x.view(2, 3).t()[1], own(1, 4)),
    "flip": (lambda x: x.flip(1), own(5, 4, 3, 2, 1, 0)),
    "strides": (lambda x: x[:, 1::2], own(1, 3, 5)),
    "indices": (lambda x: x[:, [4, 0]], own(4, 0)),
    "with constants": (lambda x: torch.cat([x[:, :1], torch.ones(1, 1)], 1), [(0, 0), NONE]),
    "padded": (lambda x: F.pad(x[:, :2], (1, 0)), [NONE, (0, 0), (1, 1)]),
    "reflected": (lambda x: F.pad(x[:, None, :2], (1, 0), mode="reflect"), own(1, 0, 1)),
    "rolled": (lambda x: x.roll(2, 1), own(4, 5, 0, 1, 2, 3)),
    "repeated": (lambda x: x[:, :2].repeat(1, 2), own(0, 1, 0, 1)),
    "another type": (lambda x: x[:, 3:].half().double(), own(3, 4, 5)),
    "real and imaginary parts": (
        lambda x: torch.view_as_real(torch.complex(x[:, :1], x[:, 1:2])),
        [(0, 1)] * 2,
    ),
    "expanded": (lambda x: x[:, 2:3].expand(3, -1).contiguous(), own(2, 2, 2)),
}
SUMS: dict[str, tuple[Callable[[Tensor], Tensor], list[tuple[int, int]]]] = {
    "a sum": (lambda x: x[:, :3] + x[:, 3:], [(0, 3), (1, 4), (2, 5)]),
    "a product with a scalar": (lambda x: 2 * x[:, :2] + 1, own(0, 1)),
    "a mean": (lambda x: x.view(2, 3).mean(1), [(0, 2), (3, 5)]),
    "a mean of all": (lambda x: x.mean(), [WHOLE]),
    "a maximum": (lambda x: x.view(2, 3).max(0).values, [(0, 3), (1, 4), (2, 5)]),
    "a softmax": (lambda x: x.view(2, 3).softmax(1)[1], [(3, 5)] * 3),
    "a product of matrices": (
        lambda x: x.view(2, 3) @ x.view(3, 2),
        [(0, 4), (0, 5), (0, 5), (1, 5)],
    ),
    "a product with weights": (lambda x: x.view(2, 3) @ torch.ones(3, 1), [(0, 2), (3, 5)]),
    "a comparison": (lambda x: torch.where(x[:, :1] > 0, x[:, 3:4], 0.0), [(0, 3)]),
    "a sort": (lambda x: x.view(2, 3).sort(1).values[0], [(0, 2)] * 3),
    "an unknown operation": (lambda x: torch.linalg.inv(x[:, 1:5].view(2, 2)), [(1, 4)] * 4),
    "an index that depends on the input": (
        lambda x: torch.ones(6)[x[:, 1:3].long()],
        [(1, 2)] * 2,
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves_take_along_what_was_looked_at(name: str) -> None:
    function, wanted = MOVES[name]

    assert looked(function) == wanted


@pytest.mark.parametrize("name", SUMS)
def test_what_is_joined_looks_at_the_hull(name: str) -> None:
    function, wanted = SUMS[name]

    assert looked(function) == wanted


def test_writes_in_place_and_through_views_are_followed() -> None:
    def writes(x: Tensor) -> Tensor:
        made = torch.zeros(1, 4)
        view = made[:, 1:3]
        view += x[:, 4:]
        made[:, 0] = x[:, 0]
        made[:, 2].zero_()
        return made

    def reads_an_older_view(x: Tensor) -> Tensor:
        copy = x.clone()
        older = copy[:, :2]
        copy.mul_(x.flip(1))
        return older

    assert looked(writes) == [(0, 0), (4, 4), NONE, NONE]
    assert looked(reads_an_older_view) == [(0, 5), (1, 4)]


def test_tokens_next_to_constant_tokens_keep_their_places() -> None:
    table = torch.eye(9)
    ids = torch.tensor([[3, 1, 2]])
    found = looked(lambda x: F.embedding(torch.cat([torch.tensor([[7]]), x], 1), table), ids)

    assert found == [NONE] * 9 + own(0) * 9 + own(1) * 9 + own(2) * 9


def test_a_chunk_of_memory_that_is_used_again_forgets_what_it_held() -> None:
    def reuses(x: Tensor) -> Tensor:
        for _ in range(50):  # memory of the first is given to later ones
            made = x + 1
            del made
        return torch.ones(1, 6) * 2

    assert looked(reuses) == [NONE] * 6


def test_mirrors_go_with_what_they_belong_to() -> None:
    x = torch.ones(1, 6)
    with torch.no_grad(), Follower(x, (1,)) as following:
        for _ in range(50):
            x = x + 1

    assert len(following._mirrors) <= 3


def test_the_size_is_the_largest_extent() -> None:
    reach = Reach(torch.tensor([[0, 2, 4]]), torch.tensor([[1, 5, 3]]))

    assert reach.size == (4,)
    assert Reach(torch.zeros(1, 0), torch.zeros(1, 0)).size == (0,)


def test_nothing_is_followed_without_axes() -> None:
    with torch.no_grad(), Follower() as following:
        torch.ones(2, 3) @ torch.ones(3, 4)

    assert following.work == 2 * 3 * 4
