"""Methods of others behind our door, and ours behind theirs; tests/peers has the real ones."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from whence import targets
from whence.errors import InvalidInput
from whence.explainers import LRP, Foreign, InputGradient, Sensitivity, for_quantus

W = torch.tensor([[1.0, -2.0, 0.5], [3.0, 0.0, -1.0]], dtype=torch.float64)
X = torch.tensor([[2.0, 1.0, 4.0], [1.0, 1.0, 1.0]], dtype=torch.float64)


def linear() -> nn.Module:
    layer = nn.Linear(3, 2, bias=False).double()
    layer.weight.data = W.clone()
    return layer.eval()


class Stranger:
    """In the form of captum's attribution objects: w x, `n_steps` times."""

    def __init__(self, forward_func: Any) -> None:
        self.forward_func = forward_func
        self.asked: list[Any] = []

    def attribute(self, inputs: Tensor, target: Any = None, n_steps: int = 1) -> Tensor:
        self.asked.append(target)
        score = self.forward_func(inputs).gather(1, target[:, None]).sum()
        return n_steps * inputs * torch.autograd.grad(score, inputs)[0]


def test_an_attribution_object_explains_its_own_model() -> None:
    found = Foreign(Stranger(linear())).explain(X, 1)

    assert found.relevance.tolist() == [[6.0, 0.0, -4.0], [3.0, 0.0, -1.0]]
    assert found.score.tolist() == [2.0, 2.0]
    assert not found.relevance.requires_grad


def test_the_highest_class_of_each_sample_is_asked_for() -> None:
    stranger = Stranger(linear())
    found = Foreign(stranger).explain(torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]).double())

    assert stranger.asked[0].tolist() == [0, 1]
    assert found.score.tolist() == [2.0, 3.0]


def test_options_are_handed_on_and_stand_in_the_name() -> None:
    found = Foreign(Stranger(linear()), n_steps=2).explain(X, 0)

    assert found.relevance[0].tolist() == [4.0, -4.0, 4.0]
    assert found.method.endswith("Stranger(n_steps=2)")


def test_a_function_needs_its_model_and_may_have_a_name() -> None:
    size = Foreign(lambda model, x, target: x.abs(), linear(), name="size")

    assert size.explain(-X, 0).relevance.tolist() == X.tolist()
    assert size.name == "size"
    assert repr(size) == "Foreign(size)"


def test_it_moves_to_another_model_with_its_attribution_object() -> None:
    """As randomisation of the parameters needs it."""
    mine, other = linear(), linear()
    other.weight.data.mul_(2)
    first = Foreign(Stranger(mine), n_steps=3)
    second = first.on(other)

    assert second.explain(X, 1).relevance[1].tolist() == [18.0, 0.0, -6.0]
    assert first.explain(X, 1).relevance[1].tolist() == [9.0, 0.0, -3.0]
    assert first.method.forward_func is mine


def test_a_function_gets_the_model_that_is_explained() -> None:
    def weights(model: Any, x: Tensor, target: Tensor) -> Tensor:
        return model.weight[target]

    other = linear()
    other.weight.data.zero_()

    assert Foreign(weights, linear()).explain(X, 1).relevance.tolist() == W[[1, 1]].tolist()
    assert not Foreign(weights, linear()).on(other).explain(X, 1).relevance.any()


def test_what_an_attribution_object_wraps_or_looks_at_moves_too() -> None:
    mine, other = nn.Sequential(linear()), nn.Sequential(linear())
    wrapper = Stranger(mine)
    wrapper.inside, wrapper.layer, wrapper.pair = Stranger(mine), mine[0], [mine[0], "text"]
    moved = Foreign(wrapper).on(other).method

    assert moved.inside.forward_func is other
    assert moved.layer is other[0]
    assert moved.pair == [other[0], "text"]


def test_it_may_be_asked_without_gradients() -> None:
    with torch.no_grad():
        found = Foreign(Stranger(linear())).explain(X, 0)

    assert found.relevance[1].tolist() == [1.0, -2.0, 0.5]


def test_several_targets_are_stacked() -> None:
    found = Foreign(Stranger(linear())).explain(X, targets.Each([0, 1]))

    assert found.relevance.shape == (2, 2, 3)
    assert found.relevance[1, 1].tolist() == [3.0, 0.0, -1.0]


def test_a_map_without_channels_is_shared_among_them() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    x = torch.rand(1, 3, 2, 2)
    found = Foreign(lambda model, x, target: x.sum(1), net).explain(x, 0)

    assert torch.allclose(found.relevance.sum(1), x.sum(1))
    assert torch.equal(found.relevance[:, 0], found.relevance[:, 2])


def test_a_tuple_gets_relevance_for_each_part() -> None:
    def model(a: Tensor, b: Tensor) -> Tensor:
        return a @ W.T + b @ W.T

    found = Foreign(lambda model, parts, target: (parts[0] * 2, parts[1]), model).explain(
        (X, X + 1), 0
    )

    assert found.relevance[0].tolist() == (2 * X).tolist()
    assert found.relevance[1].tolist() == (X + 1).tolist()


def test_a_model_with_one_number_for_each_sample_has_no_class() -> None:
    seen: list[Any] = []

    def method(model: Any, x: Tensor, target: Any) -> Tensor:
        seen.append(target)
        return x

    Foreign(method, lambda x: x.sum(1)).explain(X)

    assert seen == [None]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Foreign(3, linear()), "needs an object with attribute"),
        (lambda: Foreign(lambda model, x, target: x), "does not say which model"),
        (
            lambda: Foreign(lambda model, x, target: (x, 0.1), linear()),
            "got 2 values .Tensor, float",
        ),
        (lambda: Foreign(lambda model, x, target: x.numpy(force=True), linear()), "got .*ndarray"),
        (lambda: Foreign(lambda model, x, target: x[:, :2], linear()), r"got \(2, 2\)"),
        (lambda: Foreign(lambda model, x, target: x / 0, linear()), r"samples \[0, 1\]"),
    ],
)
def test_what_cannot_be_used_is_said(make: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make().explain(X, 0)


@pytest.mark.parametrize("target", [targets.Contrast(0, 1), lambda output: output.sum(1)])
def test_a_target_that_others_do_not_know_is_an_error(target: Any) -> None:
    with pytest.raises(InvalidInput, match="explains classes of scores"):
        Foreign(Stranger(linear())).explain(X, target)


def test_keyword_inputs_are_an_error() -> None:
    with pytest.raises(InvalidInput, match="dict of keyword"):
        Foreign(Stranger(linear())).explain({"input": X}, 0)


# Quantus: explain_func(model, inputs, targets, **kwargs) -> array


def test_arrays_go_in_and_an_array_of_their_shape_comes_out() -> None:
    explain_func = for_quantus("gradient-times-input")
    found = explain_func(model=linear(), inputs=X.numpy(), targets=np.array([1, 0]), device="cpu")

    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float64
    assert found.tolist() == [[6.0, 0.0, -4.0], [1.0, -2.0, 0.5]]


def test_the_precision_is_the_model_s_inside_and_the_array_s_outside() -> None:
    found = for_quantus(Sensitivity)(linear().float(), X.numpy(), np.array([0.0, 0.0]))

    assert found.dtype == np.float64
    assert found[0].tolist() == [1.0, 4.0, 0.25]


def test_options_come_with_the_method_and_with_the_call() -> None:
    model, x = linear(), X.numpy()
    with_method = for_quantus("integrated-gradients", baseline=1.0)(model, x, [0, 0])
    with_call = for_quantus("integrated-gradients")(model, x, [0, 0], baseline=1.0)

    assert with_method == pytest.approx(with_call)
    assert with_method[0] == pytest.approx([1.0, 0.0, 1.5])


def test_without_targets_the_highest_score_is_explained() -> None:
    found = for_quantus("gradient")(linear(), X.numpy())

    assert found[0].tolist() == W[0].tolist() or found[0].tolist() == W[1].tolist()


def test_each_call_explains_the_model_that_it_is_given() -> None:
    """Randomisation tests hand over other weights under the same function."""
    explain_func, other = for_quantus("gradient"), linear()
    other.weight.data.mul_(2)

    assert explain_func(linear(), X.numpy(), [0, 0])[0].tolist() == W[0].tolist()
    assert explain_func(other, X.numpy(), [0, 0])[0].tolist() == (2 * W[0]).tolist()


def test_an_explainer_explains_its_own_model_only() -> None:
    model = linear()
    explain_func = for_quantus(InputGradient(model))

    assert explain_func(model, X.numpy(), [1, 1])[0].tolist() == W[1].tolist()
    with pytest.raises(InvalidInput, match="belongs to a model"):
        explain_func(linear(), X.numpy(), [1, 1])


def test_an_explainer_takes_no_more_options() -> None:
    with pytest.raises(InvalidInput, match="has its options already, got epsilon"):
        for_quantus(LRP(linear()), epsilon=0.1)


def test_a_mistyped_method_is_noticed_at_once() -> None:
    with pytest.raises(InvalidInput, match="Did you mean 'lrp'"):
        for_quantus("lpr")


def test_a_mistyped_option_is_noticed() -> None:
    with pytest.raises(InvalidInput, match="has no option 'stepz'"):
        for_quantus("integrated-gradients", stepz=3)(linear(), X.numpy(), [0, 0])
