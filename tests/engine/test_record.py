"""Capture: every spelling of every operation ends on the tape as what it does to the numbers.

Where a model is piecewise linear, LRP-0 must equal gradient times input element by element, with
the gradient from torch's own autograd: an operation that was missed, doubled or misplaced shows.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import assert_closes, assert_gradient_times_input, rand

W64 = rand(6, 5, seed=1)  # plain tensors that exist before any call
K = rand(3, 2, 3, 3, seed=2)
GATE = rand(4, 6, seed=3)
INDEX = torch.tensor([[0, 2, 1, 3, 3, 0]])
ROWS = torch.tensor([2, 0, 2])
MASK = torch.tensor([[True, False, True, True, False, True]]).expand(4, 6)

Function = Callable[[Tensor], Tensor]

# one line for each spelling: x has shape (3, 4, 6), samples first, and both signs
MOVES: dict[str, Function] = {
    "flatten": lambda x: x.flatten(1),
    "reshape": lambda x: x.reshape(3, 2, 12),
    "view": lambda x: x.view(3, -1),
    "permute": lambda x: x.permute(0, 2, 1),
    "transpose": lambda x: x.transpose(1, 2).contiguous(),
    "mT": lambda x: x.mT,
    "movedim": lambda x: x.movedim(1, 2),
    "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "unflatten": lambda x: x.unflatten(2, (2, 3)),
    "slice": lambda x: x[:, 1:3, ::2],
    "ellipsis": lambda x: x[..., -1],
    "none": lambda x: x[:, None, :, 2],
    "integer index": lambda x: x[:, 2],
    "boolean mask": lambda x: x[:, MASK],
    "advanced index": lambda x: x[:, ROWS],
    "two advanced indices": lambda x: x[:, ROWS, torch.tensor([0, 1, 0])],
    "repeated advanced index": lambda x: x[:, torch.tensor([1, 1, 1, 2])],
    "list index": lambda x: x[:, [3, 0]],
    "select": lambda x: x.select(1, 3),
    "narrow": lambda x: x.narrow(2, 1, 3),
    "index_select": lambda x: x.index_select(1, ROWS),
    "torch.index_select": lambda x: torch.index_select(x, 2, ROWS),
    "gather": lambda x: x.gather(1, INDEX.expand(3, 1, 6)),
    "take_along_dim": lambda x: torch.take_along_dim(x, INDEX[None].expand(3, 1, 6), 1),
    "masked_select": lambda x: x[:, 0].masked_select(MASK[:3]).view(3, -1),
    "cat": lambda x: torch.cat([x, 2 * x, x[:, :1]], 1),
    "cat last": lambda x: torch.cat((x, x), dim=-1),
    "cat with a constant": lambda x: torch.cat([x, torch.ones(3, 1, 6, dtype=x.dtype)], 1),
    "stack": lambda x: torch.stack([x, -x], 1),
    "hstack": lambda x: torch.hstack([x, x]),
    "dstack": lambda x: torch.dstack([x, x]),
    "split": lambda x: x.split(2, 1)[1],
    "torch.split with sizes": lambda x: torch.cat(torch.split(x, [1, 3], 1)[::-1], 1),
    "chunk": lambda x: x.chunk(2, -1)[0] - x.chunk(2, -1)[1],
    "tensor_split": lambda x: x.tensor_split(3, 2)[2],
    "unbind": lambda x: x.unbind(1)[0] + x.unbind(1)[3],
    "iteration": lambda x: torch.stack([row.sum(-1) for row in x]),
    "unpacking": lambda x: next(a - b for a, b, _, _ in [x.unbind(1)]),
    "expand": lambda x: x[:, :, None].expand(3, 4, 5, 6),
    "expand_as": lambda x: x[:, :1].expand_as(x),
    "broadcast_to": lambda x: torch.broadcast_to(x[:, None], (3, 2, 4, 6)),
    "repeat": lambda x: x.repeat(1, 2, 3),
    "tile": lambda x: torch.tile(x, (1, 2, 1)),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "roll": lambda x: x.roll((1, 2), (1, 2)),
    "flip": lambda x: x.flip(1, 2),
    "fliplr": lambda x: torch.fliplr(x),
    "rot90": lambda x: torch.rot90(x, 1, (1, 2)),
    "tril": lambda x: x.tril(),
    "triu": lambda x: torch.triu(x, 1),
    "diagonal": lambda x: x.diagonal(0, 1, 2),
    "diag_embed": lambda x: torch.diag_embed(x),
    "Tensor.unfold": lambda x: x.unfold(2, 3, 1),
    "as_strided": lambda x: x.contiguous().as_strided((3, 4, 3), (24, 6, 2)),
    "where": lambda x: torch.where(x > 0, x, 3 * x),
    "where with a number": lambda x: torch.where(x > 0, x, 0.5),
    "where method": lambda x: x.where(MASK, -x),
    "masked_fill": lambda x: x.masked_fill(MASK, 0.0),
    "masked_fill with one": lambda x: x.masked_fill(MASK, 1.0),
    "index_fill": lambda x: x.index_fill(1, torch.tensor([1]), 2.0),
    "scatter": lambda x: x.scatter(1, INDEX[None, :, :].expand(3, 1, 6), x[:, :1] * 2),
    "slice_scatter": lambda x: x.slice_scatter(x[:, :2] * 3, 1, 2, 4),
    "select_scatter": lambda x: x.select_scatter(x[:, 0] * 3, 1, 2),
    "index_copy": lambda x: x.index_copy(1, torch.tensor([3]), 2 * x[:, :1]),
    "index_put": lambda x: x.index_put((torch.arange(3), torch.tensor([1, 2, 1])), 2 * x[:, 0]),
    "pad constant": lambda x: F.pad(x, (1, 2, 0, 1)),
    "pad with a value": lambda x: F.pad(x, (1, 2), value=0.5),
    "pad reflect": lambda x: F.pad(x, (2, 1), mode="reflect"),
    "pad replicate": lambda x: F.pad(x, (2, 1), mode="replicate"),
    "pad circular": lambda x: F.pad(x, (2, 1), mode="circular"),
    "pad negative": lambda x: F.pad(x, (-1, -1)),
    "clone": lambda x: x.clone() * 2,
    "to": lambda x: x.to(torch.float64),
    "double": lambda x: x.double(),
    "type": lambda x: x.type(torch.float64),
    "meshgrid-like outer sum": lambda x: x[:, :, None, 0] + x[:, None, :, 1],
}

SUMS: dict[str, Function] = {
    "sum": lambda x: x.sum(1),
    "torch.sum": lambda x: torch.sum(x, dim=(1, 2)),
    "sum of everything but the batch": lambda x: x.sum([1, 2], keepdim=True),
    "mean": lambda x: x.mean(-1),
    "torch.mean": lambda x: torch.mean(x, (1, 2)),
    "cumsum": lambda x: x.cumsum(1),
    "avg_pool1d": lambda x: F.avg_pool1d(x, 3, 2, 1),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x, 4),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2.0, mode="linear"),
    "index_add": lambda x: x.index_add(1, ROWS, x[:, :3] * 2),
    "index_add onto zeros": lambda x: torch.zeros(3, 2, 6, dtype=x.dtype).index_add(
        1, torch.tensor([0, 1, 1, 0]), x
    ),
    "scatter_add": lambda x: torch.zeros(3, 4, 6, dtype=x.dtype).scatter_add(
        1, INDEX[None].expand(3, 1, 6), x[:, 1:2]
    ),
    "diff": lambda x: x.diff(dim=1),
    "+": lambda x: x + x.flip(1),
    "-": lambda x: x - 2 * x.roll(1, 2),
    "torch.add with alpha": lambda x: torch.add(x, x.flip(1), alpha=3),
    "torch.sub with alpha": lambda x: torch.sub(x, x.flip(1), alpha=0.5),
    "broadcast sum": lambda x: x + x[:, :1],
    "sum()": lambda x: sum([x, x.flip(1), 2 * x]),
    "constant + x": lambda x: 1.5 + x,
    "constant - x": lambda x: 1.5 - x,
    "tensor - x": lambda x: GATE - x,
    "x - tensor": lambda x: x - GATE,
    "rsub": lambda x: torch.rsub(x, 2.0),
    "neg": lambda x: -x,
    "scale": lambda x: x * 3.0 / 2.0,
    "scale by a tensor": lambda x: GATE * x,
    "divide by a tensor": lambda x: torch.div(x, GATE),
    "lerp": lambda x: torch.lerp(x, x.flip(1), 0.25),
    "addcmul": lambda x: torch.addcmul(x, x.flip(2), GATE.expand_as(x), value=2.0),
    "torch.mul": lambda x: torch.mul(x, 2),
}

PIECES: dict[str, Function] = {
    "F.relu": lambda x: F.relu(x),
    "torch.relu": lambda x: torch.relu(x),
    "Tensor.relu": lambda x: x.relu(),
    "clamp(min=0)": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0.0),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.3], dtype=x.dtype)),
    "abs": lambda x: x.abs(),
    "max_pool1d": lambda x: F.max_pool1d(x, 2),
    "adaptive_max_pool1d": lambda x: F.adaptive_max_pool1d(x, 3),
    "max": lambda x: x.max(1).values,
    "amax": lambda x: x.amax((1, 2)),
    "min": lambda x: torch.min(x, dim=2)[0],
    "maximum": lambda x: torch.maximum(x, x.flip(1)),
    "maximum with zero": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "topk": lambda x: x.topk(2, dim=1).values,
    "sort": lambda x: x.sort(2).values,
    "cummax": lambda x: x.cummax(1).values,
    "branch": lambda x: 2 * x if x.sum() > 0 else -x,
    "norm": lambda x: torch.linalg.vector_norm(x, dim=2),
}

MAPS: dict[str, Function] = {
    "F.linear": lambda x: F.linear(x, W64.t()),
    "@": lambda x: x @ W64,
    "left @": lambda x: W64.t() @ x.mT,
    "matmul": lambda x: torch.matmul(x, W64),
    "bmm": lambda x: torch.bmm(x, W64.expand(3, 6, 5)),
    "einsum": lambda x: torch.einsum("bij,jk->bik", x, W64),
    "einsum, constant first": lambda x: torch.einsum("jk,bij->bik", W64, x),
    "einsum as a sum": lambda x: torch.einsum("bij->bj", x),
    "tensordot": lambda x: torch.tensordot(x, W64, dims=1),
    "addmm": lambda x: torch.addmm(torch.zeros(5, dtype=x.dtype), x[:, 0], W64),
    "baddbmm": lambda x: torch.baddbmm(x[:, :, :5], x, W64.expand(3, 6, 5), beta=2.0),
    "mv": lambda x: torch.matmul(x, W64[:, 0]),
    "conv1d": lambda x: F.conv1d(x, K[:, :, 0].repeat(1, 2, 1), padding=1),
}


@pytest.mark.parametrize("name", [*MOVES, *SUMS, *PIECES, *MAPS])
def test_every_spelling_sends_relevance_where_its_gradient_points(name: str) -> None:
    function = {**MOVES, **SUMS, **PIECES, **MAPS}[name]
    mixing = rand(6, 6, seed=5)

    def model(x: Tensor) -> Tensor:
        return function(x @ mixing)

    assert_gradient_times_input(model, rand(3, 4, 6))


IMAGES: dict[str, Function] = {
    "conv2d": lambda x: F.conv2d(x, K, padding=1),
    "conv2d with stride": lambda x: F.conv2d(x, K, stride=2, padding=(1, 0)),
    "conv2d padding=same": lambda x: F.conv2d(x, K[..., :1], padding="same", dilation=2),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, K[:2], stride=2),
    "unfold": lambda x: F.unfold(x, 3, padding=1),
    "fold of unfold": lambda x: F.fold(F.unfold(x, 2), (6, 6), 2),
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max_pool2d with indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "unpool": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, (2, 3)),
    "global average": lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1),
    "interpolate nearest": lambda x: F.interpolate(x, scale_factor=2),
    "interpolate bilinear": lambda x: F.interpolate(x, (9, 9), mode="bilinear"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x.repeat(1, 2, 1, 1), 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "pad reflect": lambda x: F.pad(x, (1, 1, 2, 2), mode="reflect"),
    "grid_sample": lambda x: F.grid_sample(
        x, F.affine_grid(rand(3, 2, 3, seed=8), [3, 2, 4, 4], False), align_corners=False
    ),
    "lp_pool2d": lambda x: F.lp_pool2d(x, 2, 2),
    "batch_norm": lambda x: F.batch_norm(x, torch.ones(2).double(), torch.ones(2).double()),
}


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_operation_sends_relevance_where_its_gradient_points(name: str) -> None:
    kernel = rand(2, 2, 3, 3, seed=6)

    def model(x: Tensor) -> Tensor:
        return IMAGES[name](F.conv2d(x, kernel, padding=1))

    assert_gradient_times_input(model, rand(3, 2, 6, 6))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_same_padding_of_an_even_kernel_pads_more_at_the_end() -> None:
    assert_gradient_times_input(
        lambda x: F.conv2d(x, K[..., :2, :2], padding="same"), rand(3, 2, 6, 6)
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_a_fractional_pooling_explains_the_regions_it_drew(dims: int) -> None:
    pool = (nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)[dims - 2](2, output_ratio=0.6)

    ex = assert_closes(pool, rand(2, 3, *[6] * dims), lambda y: y.flatten(1).sum(1))

    torch.testing.assert_close(ex.relevance.flatten(1).sum(1), ex.score)


def test_an_einsum_of_two_dependent_tensors_halves_its_relevance() -> None:
    x = rand(3, 4, 6)

    def model(x: Tensor) -> Tensor:
        return torch.einsum("bij,bkj->bik", x, x.flip(1)).flatten(1)

    assert_gradient_times_input(model, x, factor=0.5)


def test_a_product_of_two_dependent_tensors_halves_its_relevance() -> None:
    assert_gradient_times_input(lambda x: x * x.roll(1, 1), rand(3, 6), factor=0.5)


def test_a_residual_sum_is_exact_even_where_it_cancels() -> None:
    """x + f(x) with f(x) near -x: the sum is tiny, the parts are not."""
    w = -torch.eye(6, dtype=torch.float64) + 1e-9 * rand(6, 6, seed=1)

    assert_gradient_times_input(lambda x: x + x @ w, rand(3, 6))


def test_a_module_called_three_times_equals_its_unrolled_copies() -> None:
    shared = nn.Linear(6, 6, bias=False).double()
    copies = [nn.Linear(6, 6, bias=False).double() for _ in range(3)]
    [copy.load_state_dict(shared.state_dict()) for copy in copies]
    unrolled = nn.Sequential(copies[0], nn.ReLU(), copies[1], nn.ReLU(), copies[2])
    activation = nn.ReLU()
    reused = nn.Sequential(shared, activation, shared, activation, shared)
    x = rand(3, 6)

    assert torch.equal(assert_gradient_times_input(reused, x), assert_closes(unrolled, x).relevance)


def test_one_weight_used_in_two_layers_counts_twice() -> None:
    w = rand(6, 6, seed=1)

    assert_gradient_times_input(lambda x: F.relu(x @ w) @ w.t(), rand(3, 6))


def test_relevance_of_a_reused_input_adds() -> None:
    x = rand(3, 6)
    ex = assert_closes(lambda x: x + x + x, x)

    torch.testing.assert_close(ex.relevance.sum(1), ex.score)


def test_relu_networks_with_bias_still_send_the_gradient_and_book_the_bias() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).double()
    ex = assert_closes(model, rand(3, 6))

    assert ex.ledger.total("bias") != 0
    assert_gradient_times_input(model, rand(3, 6))


def test_factory_calls_are_constants() -> None:
    def model(x: Tensor) -> Tensor:
        ramp = torch.arange(6, dtype=x.dtype) + torch.linspace(0, 1, 6, dtype=x.dtype)
        noise = torch.zeros_like(x).add_(ramp) * x.new_full((1,), 0.5)
        return x * ramp + noise + torch.eye(6, dtype=x.dtype)[0] - torch.tensor(0.5)

    assert_gradient_times_input(model, rand(3, 6))


def test_a_constant_made_from_numbers_of_the_input_is_a_constant() -> None:
    assert_gradient_times_input(lambda x: x * (x.shape[1] ** -0.5) + len(x), rand(3, 6))


def test_a_comparison_of_the_input_is_a_constant() -> None:
    assert_gradient_times_input(lambda x: x * (x > 0).to(x.dtype) + (x < 0).double(), rand(3, 6))


def test_indices_from_the_input_are_constants() -> None:
    assert_gradient_times_input(lambda x: x.gather(1, x.argsort(1)[:, :2]), rand(3, 6))


def test_detach_makes_a_constant_and_says_so() -> None:
    ex = assert_closes(lambda x: x + x.detach(), rand(3, 6))

    assert any("detach" in note for note in ex.notes)
    assert_gradient_times_input(lambda x: x + 2 * x.detach(), rand(3, 6))


def test_data_makes_a_constant_and_says_so() -> None:
    ex = assert_closes(lambda x: x + 2 * x.data, rand(3, 6))

    assert any("data" in note for note in ex.notes)
