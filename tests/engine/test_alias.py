"""Writes in place: through tensors, views of them, and memory that several names share."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import assert_closes, assert_gradient_times_input, rand

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


ACTIVATIONS: dict[str, Function] = {
    "elu": lambda h: F.elu(h, inplace=True),
    "elu_": lambda h: F.elu_(h),
    "silu": lambda h: F.silu(h, inplace=True),
    "celu": lambda h: F.celu(h, inplace=True),
    "selu": lambda h: F.selu(h, inplace=True),
    "hardswish": lambda h: F.hardswish(h, inplace=True),
    "mish": lambda h: F.mish(h, inplace=True),
    "relu6": lambda h: F.relu6(h, inplace=True),
    "leaky_relu": lambda h: F.leaky_relu(h, 0.2, inplace=True),
    "hardtanh": lambda h: F.hardtanh(h, inplace=True),
    "hardsigmoid": lambda h: F.hardsigmoid(h, inplace=True),
    "threshold": lambda h: F.threshold(h, 0.1, 0.0, inplace=True),
    "sigmoid_": lambda h: h.sigmoid_(),
    "tanh_": lambda h: torch.tanh_(h),
    "sqrt_ of square_": lambda h: h.square_().sqrt_(),
    "exp_": lambda h: h.exp_(),
}
OUT_OF_PLACE: dict[str, Function] = {
    "elu": F.elu,
    "elu_": F.elu,
    "silu": F.silu,
    "celu": F.celu,
    "selu": F.selu,
    "hardswish": F.hardswish,
    "mish": F.mish,
    "relu6": F.relu6,
    "leaky_relu": lambda h: F.leaky_relu(h, 0.2),
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "threshold": lambda h: F.threshold(h, 0.1, 0.0),
    "sigmoid_": torch.sigmoid,
    "tanh_": torch.tanh,
    "sqrt_ of square_": lambda h: h.square().sqrt(),
    "exp_": torch.exp,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_in_place_equals_itself_out_of_place(name: str) -> None:
    first, second = nn.Linear(6, 6).double(), nn.Linear(6, 4).double()
    x = rand(3, 6)
    in_place = assert_closes(lambda x: second(ACTIVATIONS[name](first(x))), x)
    out_of_place = assert_closes(lambda x: second(OUT_OF_PLACE[name](first(x))), x)

    torch.testing.assert_close(in_place.relevance, out_of_place.relevance, rtol=1e-12, atol=1e-13)


def test_an_activation_in_place_on_a_tensor_read_before_keeps_the_old_value() -> None:
    def in_place(x: Tensor) -> Tensor:
        h = x * 2
        early = h + 0
        return early + F.silu(h, inplace=True)

    x = rand(3, 6)
    changed = assert_closes(in_place, x)
    plain = assert_closes(lambda x: x * 2 + F.silu(x * 2), x)

    torch.testing.assert_close(changed.relevance, plain.relevance)


def test_a_product_in_place_halves_its_relevance() -> None:
    def model(x: Tensor) -> Tensor:
        h = x * 2
        h *= x.flip(1)
        return h

    assert_gradient_times_input(model, rand(3, 6), factor=0.5)


def test_addcmul_in_place_of_two_signals_is_a_product_and_a_sum() -> None:
    x = rand(3, 6)
    in_place = assert_closes(lambda x: (x * 1).addcmul_(x, x.flip(1)), x)
    apart = assert_closes(lambda x: x + x * x.flip(1), x)

    torch.testing.assert_close(in_place.relevance, apart.relevance)


def test_a_write_through_data_is_seen() -> None:
    """`h.data` shares memory with h; a write through it must change h or be an error."""

    def model(x: Tensor) -> Tensor:
        h = x * 2
        h.data.mul_(3)
        return h

    ex = assert_closes(model, rand(3, 6))

    torch.testing.assert_close(ex.relevance.sum() + ex.ledger.total("bias"), ex.score.sum())


def _chunk(h: Tensor) -> Tensor:
    first, second = h.chunk(2, 1)
    first.relu_()
    return torch.cat([h, first, second], 1)


def _chunk_apart(h: Tensor) -> Tensor:
    first, second = h[:, :3].relu(), h[:, 3:]
    return torch.cat([first, second, first, second], 1)


def _split(h: Tensor) -> Tensor:
    parts = h.view(3, 2, 3).split(1, 1)
    parts[0].mul_(3)
    return torch.cat([h * 2, parts[1][:, 0]], 1)


def _split_apart(h: Tensor) -> Tensor:
    return torch.cat([h[:, :3] * 6, h[:, 3:] * 2, h[:, 3:]], 1)


def _constant_overwritten(h: Tensor) -> Tensor:
    scale = torch.ones(3, 6, dtype=h.dtype)
    early = h * scale
    scale.mul_(5)
    return early + h * scale


def _constant_in_a_list_overwritten(h: Tensor) -> Tensor:
    extra = torch.ones(3, 6, dtype=h.dtype)
    early = torch.cat([h, h * 5, extra], 1)
    extra.zero_()
    return early[:, :6] + early[:, 6:12] + extra


def _six_times(h: Tensor) -> Tensor:
    return h * 6


def _matrix_overwritten(h: Tensor) -> Tensor:
    w = torch.eye(6, dtype=h.dtype)
    early = h @ w
    w.mul_(5)
    return early + F.linear(input=h, weight=w)


def _view_of_a_constant_overwritten(h: Tensor) -> Tensor:
    scale = torch.ones(2, 6, dtype=h.dtype)
    row = scale[0]
    early = h * row
    scale[0] = 5
    return early + h * row


def _residual(h: Tensor) -> Tensor:
    y = F.relu(h)
    y += h
    y.relu_()
    return y


def _residual_apart(h: Tensor) -> Tensor:
    return F.relu(F.relu(h) + h)


def _loop(h: Tensor) -> Tensor:
    state = torch.zeros(3, 2, dtype=h.dtype)
    out = torch.zeros(3, 3, 2, dtype=h.dtype)
    for i in range(3):
        state = (state + h[:, 2 * i : 2 * i + 2]).relu_()
        out[:, i] = state
    return out.flatten(1)


def _loop_apart(h: Tensor) -> Tensor:
    a = h[:, :2].relu()
    b = (a + h[:, 2:4]).relu()
    return torch.cat([a, b, (b + h[:, 4:]).relu()], 1)


@pytest.mark.parametrize(
    ("in_place", "apart"),
    [
        (_chunk, _chunk_apart),
        (_split, _split_apart),
        (_constant_overwritten, _six_times),
        (_constant_in_a_list_overwritten, _six_times),
        (_matrix_overwritten, _six_times),
        (_view_of_a_constant_overwritten, _six_times),
        (_residual, _residual_apart),
        (_loop, _loop_apart),
    ],
)
def test_what_autograd_refuses_equals_the_same_without_writes(
    in_place: Function, apart: Function
) -> None:
    mixing, x = rand(6, 6, seed=5), rand(3, 6)
    written = assert_closes(lambda x: in_place(x @ mixing), x)

    expected = assert_gradient_times_input(lambda x: apart(x @ mixing), x)
    torch.testing.assert_close(written.relevance, expected, rtol=1e-12, atol=1e-12)
