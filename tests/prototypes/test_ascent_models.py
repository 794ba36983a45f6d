"""The loop leaves models alone, and climbs models of all kinds."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import whence
from climbing import ORIGIN, climb, hill
from whence.errors import InvalidInput
from whence.prototypes import (
    L2,
    Generator,
    Layer,
    Neuron,
    Noise,
    Output,
    Zeros,
)
from whence.testing import untouched


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double().eval()


# What is left alone.


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "lbfgs"])
def test_model_and_inputs_are_untouched(optimiser: str) -> None:
    model, start, around = net(), torch.randn(2, 4).double(), torch.randn(4).double()
    model[0].weight.requires_grad_(False)
    model[2].weight.grad = torch.ones_like(model[2].weight)
    model[1].register_forward_hook(lambda *_: None)

    with untouched(model, start, around):
        whence.maximize(
            model,
            Layer("0") + Neuron("1", 2),
            start=start,
            prior=L2(1.0, around=around),
            box=(-1, 1),
            steps=3,
            optimiser=optimiser,
        )


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_they_are_untouched_after_an_error_too(error: type[BaseException]) -> None:
    model = net()

    def fail(*_: object) -> None:
        raise error

    model[2].register_forward_hook(fail)
    start = torch.zeros(1, 4).double()
    with untouched(model, start), pytest.raises(error):
        whence.maximize(model, Layer("0"), start=start)


def test_a_decoder_is_untouched_too() -> None:
    decoder = nn.Linear(2, 4).double()
    with untouched(decoder):
        whence.maximize(net(), 1, parametrisation=Generator(decoder, (2,)), steps=2)


def test_the_state_of_random_numbers_is_untouched() -> None:
    model, before = net(), torch.get_rng_state()
    whence.maximize(
        model, [0, 1], start=Noise((4,)), transformations=[whence.prototypes.Perturb(0.1)], steps=2
    )

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_it_climbs_where_gradients_are_off(around: Callable[[], torch.no_grad]) -> None:
    model = net()
    expected = whence.maximize(model, 1, start=Zeros((4,)), steps=3).inputs
    with around():
        start = torch.zeros(1, 4).double()
        found = whence.maximize(model, 1, start=start, prior=L2(0.0, around=start), steps=3)

    assert torch.equal(found.inputs, expected)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Dropout1d(0.1)], ids=repr)
def test_a_model_in_training_is_refused(layer: nn.Module) -> None:
    model = nn.Sequential(layer, nn.Linear(4, 2))
    with pytest.raises(InvalidInput, match=r"evaluation mode, but 0 .* Call model.eval"):
        whence.maximize(model, 0, start=torch.zeros(1, 4))

    assert len(whence.maximize(model.eval(), 0, start=torch.zeros(1, 4), steps=1)) == 1


def test_a_model_without_a_gradient_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"has no gradient. Does the model detach"):
        climb(lambda x: x.detach().sum(1))


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one number for each of 1 samples"):
        whence.maximize(hill, Output(lambda z: z.sum()), start=ORIGIN)


# Models of all kinds.


def test_a_part_of_the_answer_can_be_climbed() -> None:
    start = torch.zeros(1, 1).double()
    answer = {"loss": None, "logits": start, "height": None}

    def model(x: Tensor) -> dict[str, Tensor | None]:
        return {**answer, "logits": -hill(x), "height": hill(x)}

    named = whence.maximize(model, Output(), start=start, output="height", steps=1)
    default = whence.maximize(model, Output(), start=start, steps=1)

    assert named.history[0].item() == -1.0
    assert default.history[0].item() == 1.0


def test_a_missing_part_of_the_answer_is_an_error() -> None:
    with pytest.raises(
        InvalidInput, match=r"output='height' is not in the model's output: \['a'\]"
    ):
        whence.maximize(lambda x: {"a": x}, Output(), start=ORIGIN, output="height")


def test_an_answer_without_numbers_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="no float tensor"):
        whence.maximize(lambda x: {"a": x.long()}, Output(), start=ORIGIN)


def test_a_model_can_be_called_ones_own_way_and_read_inside() -> None:
    model, scale = net(), torch.tensor(2.0).double()
    found = whence.maximize(
        model, Neuron("0", 1), start=Noise((4,)), call=lambda x: model(scale * x), steps=1
    )

    x0 = whence.maximize(model, Neuron("0", 1), start=Noise((4,)), steps=1)
    bias = model[0].bias.detach()[1]
    torch.testing.assert_close(found.history[0] - bias, 2 * (x0.history[0] - bias))


def test_a_model_of_half_precision_is_climbed_in_single() -> None:
    model = net().to(torch.bfloat16)
    found = whence.maximize(model, 1, start=Zeros((4,)), steps=20)

    assert found.inputs.dtype == torch.float32
    assert found.history[-1] > found.history[0]


def test_the_same_seed_gives_the_same_result() -> None:
    model = net()

    def run(seed: int) -> Tensor:
        jitter = [whence.prototypes.Perturb(0.2)]
        return whence.maximize(
            model, [0, 2], start=Noise((4,)), transformations=jitter, count=2, steps=5, seed=seed
        ).inputs

    assert torch.equal(run(3), run(3))
    assert not torch.equal(run(3), run(4))


@pytest.mark.gpu
def test_it_climbs_on_a_gpu_as_on_a_processor() -> None:
    model = net()
    here = whence.maximize(model, [0, 1], start=Noise((4,)), prior=L2(0.1), steps=20)
    there = whence.maximize(model.cuda(), [0, 1], start=Noise((4,)), prior=L2(0.1), steps=20)

    assert there.inputs.is_cuda
    torch.testing.assert_close(there.inputs.cpu(), here.inputs)


def test_nothing_to_improve_is_no_error() -> None:
    assert climb(start=1 + ORIGIN, steps=3, patience=1).objective.item() == 0.0
    assert math.isfinite(climb(start=1 + ORIGIN, optimiser="lbfgs", steps=3).objective.item())
