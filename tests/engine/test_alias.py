"""Writes in place: through tensors, views of them, and memory that several names share."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from laws import assert_gradient_times_input, rand

MASK = torch.tensor([True, False, True, True, False, True])
GATE = rand(6, seed=3)
Function = Callable[[Tensor], Tensor]


def _relu_twice(h: Tensor) -> Tensor:
    a = h.relu_()
    return a + h


def _iadd(h: Tensor) -> Tensor:
    h += h.flip(1)
    return h


def _isub(h: Tensor) -> Tensor:
    h -= 2
    h -= h.roll(1, 1)
    return h


def _imul(h: Tensor) -> Tensor:
    h *= 3
    h *= GATE
    return h


def _idiv(h: Tensor) -> Tensor:
    h /= GATE
    return h


def _add_with_alpha(h: Tensor) -> Tensor:
    other = h.flip(1)
    return h.add_(other, alpha=3)


def _sub_with_alpha(h: Tensor) -> Tensor:
    return h.sub_(h.flip(1), alpha=0.5)


def _addcmul(h: Tensor) -> Tensor:
    return h.addcmul_(h.flip(1), GATE, value=2.0)


def _lerp(h: Tensor) -> Tensor:
    return h.lerp_(h.flip(1), 0.25)


def _neg(h: Tensor) -> Tensor:
    return h.neg_().abs_().clamp_(min=0).neg_()


def _clamp(h: Tensor) -> Tensor:
    before = h * 2
    return before + h.clamp_(min=0)


def _setitem(h: Tensor) -> Tensor:
    h[:, 0] = 2 * h[:, 3]
    return h


def _setitem_of_itself(h: Tensor) -> Tensor:
    h[:, :3] = h[:, 3:]
    h[:, 1] = h[:, 0] + h[:, 1]
    return h


def _setitem_number(h: Tensor) -> Tensor:
    h[:, 0] = 0.5
    h[:, MASK] = 0
    return h


def _setitem_mask(h: Tensor) -> Tensor:
    h[h < 0] = 0
    return h


def _setitem_advanced(h: Tensor) -> Tensor:
    h[:, torch.tensor([4, 1])] = h[:, :2] * 2
    return h


def _setitem_augmented(h: Tensor) -> Tensor:
    h[:, 0] += h[:, 1]
    h[:, 2:4] *= 3
    h[:, 5] -= 1
    return h


def _view_scaled(h: Tensor) -> Tensor:
    h[:, 1:].mul_(2)
    return h


def _row_added(h: Tensor) -> Tensor:
    row = h[:, 0]
    row.add_(1)
    row.mul_(3)
    return h + row[:, None]


def _row_of_row(h: Tensor) -> Tensor:
    middle = h[:, 1:5]
    inner = middle[:, 1:3]
    inner.mul_(4)
    return torch.cat([h, middle, inner], 1)


def _view_before_read_after(h: Tensor) -> Tensor:
    tail = h[:, 3:]
    h.mul_(2)
    return torch.cat([tail, h], 1)


def _view_read_before_and_after(h: Tensor) -> Tensor:
    tail = h[:, 3:]
    early = tail * 2
    h[:, 4] = 7 * h[:, 0]
    return torch.cat([early, tail], 1)


def _transposed(h: Tensor) -> Tensor:
    h.t()[1:3].mul_(5)
    h.t()[0] = h[:, 4]
    return h


def _reshaped(h: Tensor) -> Tensor:
    square = h.view(3, 2, 3)
    square[:, :, 1] = 2 * square[:, :, 0]
    square.transpose(1, 2)[:, 2].mul_(3)
    return h


def _flattened_and_back(h: Tensor) -> Tensor:
    flat = h.flatten()
    flat[4:9] *= 2
    return h


def _buffer(h: Tensor) -> Tensor:
    out = torch.zeros(3, 4, dtype=h.dtype)
    for i in range(3):
        out[:, i] = h[:, i] * (i + 1)
    return out


def _buffer_like(h: Tensor) -> Tensor:
    out = torch.empty_like(h)
    out[:, ::2] = h[:, 1::2]
    out[:, 1::2] = 1.0
    return out


def _buffer_accumulated(h: Tensor) -> Tensor:
    total = h.new_zeros(3, 2)
    for i in range(3):
        total += h[:, 2 * i : 2 * i + 2] * (i + 1)
    return total


def _buffer_row(h: Tensor) -> Tensor:
    out = torch.zeros(3, 2, 3, dtype=h.dtype)
    row = out[:, 1]
    row += h[:, :3]
    out[:, 0].copy_(h[:, 3:])
    return out


def _buffer_then_whole(h: Tensor) -> Tensor:
    out = torch.zeros(3, 6, dtype=h.dtype)
    left = out[:, :3]
    out.add_(h)
    return torch.cat([left, out], 1)


def _buffer_index_add(h: Tensor) -> Tensor:
    out = torch.zeros(3, 2, dtype=h.dtype)
    return out.index_add_(1, torch.tensor([0, 1, 1, 0, 0, 1]), h)


def _buffer_scatter_add(h: Tensor) -> Tensor:
    out = torch.zeros(3, 4, dtype=h.dtype)
    out.scatter_add_(1, torch.tensor([[0, 1, 1, 0, 3, 1]]).expand(3, 6), h)
    return out


def _zero(h: Tensor) -> Tensor:
    keep = h * 2
    h.zero_()
    return keep + h


def _fill(h: Tensor) -> Tensor:
    h[:, 1:3].fill_(0.5)
    return h


def _masked_fill(h: Tensor) -> Tensor:
    return h.masked_fill_(MASK, 0.0)


def _copy(h: Tensor) -> Tensor:
    twice = 2 * h
    h[:, :2].copy_(twice[:, 2:4])
    return h


def _functional_inplace(h: Tensor) -> Tensor:
    return F.relu(h, inplace=True) + h


def _positional_inplace(h: Tensor) -> Tensor:
    return F.relu(h, True) + F.leaky_relu(h - 1, 0.1, True)


def _inplace_by_keyword(h: Tensor) -> Tensor:
    return F.relu(input=h, inplace=True) + h


def _unsqueeze(h: Tensor) -> Tensor:
    wide = h.unsqueeze(1)
    wide.mul_(2)
    return h


def _contiguous_is_the_same(h: Tensor) -> Tensor:
    same = h.contiguous()
    same.mul_(2)
    return h


def _to_is_the_same(h: Tensor) -> Tensor:
    same = h.to(torch.float64)
    same[:, 0] = 3 * h[:, 1]
    return h


def _dropout_is_the_same(h: Tensor) -> Tensor:
    same = F.dropout(h, 0.5, training=False)
    same.mul_(2)
    return h + same


def _expand_read(h: Tensor) -> Tensor:
    wide = h[:, :1].expand(3, 6)
    h[:, 0] = 2 * h[:, 1]
    return wide + h


def _swap(h: Tensor) -> Tensor:
    h[:, 0], h[:, 1] = h[:, 1].clone(), h[:, 0].clone()
    return h


def _squeeze_in_place(h: Tensor) -> Tensor:
    return h.unsqueeze_(1).squeeze_(1).t_().t_() * 2


def _index_put(h: Tensor) -> Tensor:
    return h.index_put_((torch.tensor([0, 2]), torch.tensor([1, 1])), h[0, :2] * 2)


WRITES: dict[str, Function] = {
    name.removeprefix("_"): each
    for name, each in list(globals().items())
    if callable(each) and name.startswith("_") and not name.startswith("__")
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_in_place_sends_relevance_where_its_gradient_points(name: str) -> None:
    mixing = rand(6, 6, seed=5)

    assert_gradient_times_input(lambda x: WRITES[name](x @ mixing), rand(3, 6))


@pytest.mark.parametrize("name", WRITES)
def test_a_write_into_the_users_own_input_leaves_it_as_it_is(name: str) -> None:
    x = rand(3, 6)
    kept = x.clone()
    assert_gradient_times_input(WRITES[name], x)

    assert torch.equal(x, kept)
    assert x._version == 0
