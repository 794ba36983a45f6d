"""What is shared about samples: who they are, how the model is asked."""

import pytest
import torch
from torch import nn

from perturbing import Hungry, Scorer, Weighted, ones
from whence.errors import InvalidInput
from whence.metrics import Batch, Case, PixelFlipping

X = torch.randn(5, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


def two_inputs(x, scale):
    return Scorer()(x * scale)


def test_the_untouched_samples_are_asked_once() -> None:
    batch = Batch(Scorer(), X)

    assert torch.equal(batch.untouched, Scorer()(X))
    assert batch.untouched is batch.untouched
    assert batch.forwarded == 5


def test_the_highest_class_is_that_of_the_untouched_sample() -> None:
    batch = Batch(Scorer(), X)

    assert torch.equal(batch.target.k, Scorer()(X).argmax(1))


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
def test_a_grid_asks_for_every_sample_and_point_once(chunk: int) -> None:
    batch = Batch(Weighted(*[1.0] * 16), ones(5, 1, 4, 4), chunk=chunk)
    worth = torch.arange(35, dtype=torch.float64).view(5, 7)
    shape = (-1, 1, 1, 1)

    def make(samples: slice, points: slice):
        return worth[samples, points].reshape(shape).expand(-1, 1, 4, 4)

    assert torch.equal(batch.grid(make, 7, batch.read("score")), 16 * worth)
    assert batch.forwarded == 5 + 35


def test_chunks_are_even_and_never_larger_than_asked() -> None:
    sizes = []
    model = Scorer()
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    batch = Batch(model, X[:1], chunk=4)
    read = batch.read("auto")
    sizes.clear()
    batch.grid(lambda samples, points: X[:1].expand(points.stop - points.start, 1, 4, 4), 9, read)

    assert sizes == [3, 3, 3]


@pytest.mark.parametrize("error", SHORT, ids=lambda each: type(each).__name__)
def test_short_memory_halves_the_chunk_and_changes_no_number(error: Exception) -> None:
    model = Hungry(5, error)
    batch = Batch(model, X)
    scores = PixelFlipping().measure(Case(batch, X))
    expected = PixelFlipping()(Scorer(), X, X)

    assert torch.equal(scores.values, expected.values)
    assert model.most <= 5
    assert batch.chunk < 15
    assert batch.forwarded == 5 * (16 + 1)  # what failed is not counted


def test_memory_that_is_short_for_one_sample_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError, match="2 GiB"):
        PixelFlipping()(Hungry(0, SHORT[0]), X, X)


def test_other_errors_of_the_model_come_through() -> None:
    with pytest.raises(RuntimeError, match="a fault of the model"):
        PixelFlipping()(Hungry(5, RuntimeError("a fault of the model")), X, X)


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": X, "scale": ones(5, 1, 1, 1) * torch.arange(1.0, 6).view(5, 1, 1, 1)},
        {"scale": torch.arange(1, 6).view(5, 1, 1, 1), "x": X},
        (X, torch.arange(1.0, 6, dtype=torch.float64).view(5, 1, 1, 1)),
    ],
    ids=["by name", "integers first", "by position"],
)
def test_what_else_belongs_to_samples_goes_along(inputs) -> None:
    scores = PixelFlipping()(two_inputs, inputs, X, chunk=6)
    alone = [
        PixelFlipping()(lambda x, scale=i + 1: Scorer()(x * scale), X[i : i + 1], X[i : i + 1])
        for i in range(5)
    ]

    expected = torch.cat([each.values for each in alone])
    # The mean of the sample and its ids differ in nothing; only the batch does.
    assert torch.allclose(scores.values, expected, rtol=1e-12, atol=0)


def test_progress_is_told_for_each_chunk() -> None:
    told: list[int] = []
    batch = Batch(Scorer(), X, told=told.append)
    PixelFlipping().measure(Case(batch, X))

    assert sum(told) == batch.forwarded


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).double().eval()
    x = X.clone().requires_grad_()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    PixelFlipping()(model, x, X)

    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
    assert x.grad is None
    assert model[1].weight.grad is None
    assert torch.equal(x.detach(), X)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"ids": [1, 2]}, "One id for each of 5 samples, got 2"),
        ({"ids": [1, "1", 2, 3, 4]}, "ids must differ, as text"),
        ({"chunk": 0}, "chunk must be at least 1, got 0"),
        ({"labels": torch.zeros(4)}, "labels must have one entry for each of 5 samples, got 4"),
        ({"masks": torch.ones(1, 4, 4) > 0}, "masks must have one entry for each of 5 samples"),
    ],
)
def test_what_cannot_be_right_is_refused(about, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Batch(Scorer(), X, **about)


def test_a_model_in_training_mode_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"training mode.*model.eval"):
        Batch(nn.Linear(3, 2), torch.ones(1, 3))


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is empty"):
        Batch(Scorer(), X[:0])


def test_nested_inputs_are_refused() -> None:
    with pytest.raises(InvalidInput, match="nested tuples cannot be repeated"):
        Batch(lambda x, state: x, (X, (X, X)))


def test_a_model_that_merges_samples_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must answer each sample apart: 5 went in"):
        PixelFlipping()(lambda x: Scorer()(x).mean(0, keepdim=True), X, X)


def test_a_class_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Classes run from 0 to 2, got 3"):
        PixelFlipping()(Scorer(), X, X, target=3)
