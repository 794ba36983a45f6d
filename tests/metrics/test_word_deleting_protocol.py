"""Word deleting beside a slow rewrite of its protocol, and the laws it keeps."""

import pytest
import torch
from torch import Tensor, nn

from deleting import METRICS, Reads, curve
from whence.metrics import WordDeleting
from whence.zoo._words import pad


@pytest.fixture
def texts() -> list[list[int]]:
    return [torch.randint(1, 20, (n,)).tolist() for n in (9, 3, 1, 6, 12, 5, 9)]


def slowly(model: nn.Module, text: list[int], R: list[float], k: int, how: str) -> list[float]:
    """P(k) of one text alone, one word after the other: the paper's protocol as it stands."""
    order = sorted(range(len(text)), key=lambda i: -R[i])
    found = []
    for count in range(5):
        gone = set(order[:count])
        if how == "remove":
            left = [word for i, word in enumerate(text) if i not in gone] or [text[order[-1]]]
        else:
            left = [0 if i in gone else word for i, word in enumerate(text)]
        mask = torch.ones(1, len(left), dtype=torch.int64)
        found.append(float(model(torch.tensor([left]), mask).softmax(1)[0, k].detach()))
    return found


@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("how", ["blank", "remove"])
def test_the_metric_is_the_protocol_step_by_step(
    texts: list[list[int]], how: str, side: str, positions: bool
) -> None:
    model, inputs = Reads(), pad(texts)
    R = torch.randn(inputs["input_ids"].shape, dtype=torch.float64)
    if side == "left":
        rows = [torch.tensor([0] * (12 - len(text)) + text) for text in texts]
        ids = torch.stack(rows)
        inputs = {"input_ids": ids, "attention_mask": (ids > 0).long()}
        R = torch.stack([r.roll(12 - len(text)) for r, text in zip(R, texts, strict=True)])
    if positions:
        inputs["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp_min(0)
    kept = [r[row > 0] for r, row in zip(R, inputs["attention_mask"], strict=True)]
    k = model(**inputs).argmax(1).tolist()
    found = WordDeleting(most=4, read="probability", how=how)(model, inputs, R)
    expected = [
        slowly(model, text, r.tolist(), each, how)
        for text, r, each in zip(texts, kept, k, strict=True)
    ]

    torch.testing.assert_close(
        found.curves["word-deleting"].y,
        torch.tensor(expected, dtype=torch.float64),
        rtol=1e-12,
        atol=0,
    )


def part(inputs: dict[str, Tensor], rows: list[int], longest: int) -> dict[str, Tensor]:
    return {name: each[rows, :longest] for name, each in inputs.items()}


@pytest.mark.parametrize("name", METRICS)
def test_a_batch_equals_its_texts_in_any_order_and_padding(
    texts: list[list[int]], name: str
) -> None:
    model, inputs, metric = Reads(), pad(texts), METRICS[name]
    R = torch.randn(inputs["input_ids"].shape).round()  # with ties
    labels = [0, 0, 1, 1, 2, 2, 0]
    rows = [5, 2, 0, 6, 1, 3, 4]
    together = metric(model, inputs, R, labels, seed=7).values
    chunked = metric(model, inputs, R, labels, seed=7, chunk=3).values
    turned = metric(
        model, part(inputs, rows, 12), R[rows], [labels[i] for i in rows], ids=rows, seed=7
    ).values
    alone = [
        metric(model, part(inputs, [i], len(texts[i])), R[[i], : len(texts[i])], labels[i],
               ids=[i], seed=7).values
        for i in range(7)
    ]  # fmt: skip

    torch.testing.assert_close(chunked, together, rtol=1e-12, atol=0, equal_nan=True)
    torch.testing.assert_close(turned, together[rows], rtol=1e-12, atol=0, equal_nan=True)
    torch.testing.assert_close(torch.cat(alone), together, rtol=1e-12, atol=0, equal_nan=True)


def test_each_run_of_the_random_order_is_another_one() -> None:
    weights, x = torch.stack([torch.arange(30.0), torch.zeros(30)]), torch.ones(1, 30)
    one, eight = (
        WordDeleting(most=1, read="logit", order="random", runs=runs)(
            lambda x: x @ weights.T, x, x, 0
        )
        for runs in (1, 8)
    )

    assert one.values.item() != eight.values.item()


@pytest.mark.gpu
@pytest.mark.parametrize("name", METRICS)
def test_a_device_gives_the_same(texts: list[list[int]], name: str) -> None:
    model, inputs, metric = Reads(), pad(texts), METRICS[name]
    R, labels = torch.randn(inputs["input_ids"].shape).round(), [0, 0, 1, 1, 2, 2, 0]
    here = metric(model, inputs, R, labels).values
    on_device = {key: each.cuda() for key, each in inputs.items()}
    there = metric(model.cuda(), on_device, R.cuda(), torch.tensor(labels).cuda()).values

    torch.testing.assert_close(there.cpu(), here, rtol=1e-9, atol=0, equal_nan=True)


def test_a_constant_map_is_a_random_order(texts: list[list[int]]) -> None:
    model, inputs = Reads(), pad(texts)
    constant = torch.ones(inputs["input_ids"].shape)
    found = WordDeleting(most=4, read="probability")(model, inputs, constant)
    random = WordDeleting(most=4, read="probability", order="random", runs=1)(
        model, inputs, constant
    )

    assert curve(found) == curve(random)
