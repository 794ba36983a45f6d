"""Errors teach: every documented refusal names what, where, and what to do instead."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, library, nn

from laws import ZERO, rand
from whence import rules, targets
from whence.composites import Composite, where
from whence.errors import InvalidInput, UnsupportedModel, UnsupportedOperations, UntrackedTensor
from whence.explainers import LRP

HERE = re.escape(__file__)
X = rand(3, 6)


def _explain(model: Callable[..., Any], inputs: Any = X, target: Any = 1, **options: Any) -> Any:
    return LRP(model, ZERO).explain(inputs, target, **options)


def _net() -> nn.Sequential:
    parts = {"first": nn.Linear(6, 4), "active": nn.ReLU(), "second": nn.Linear(4, 4)}
    net = nn.Sequential()
    [net.add_module(name, part) for name, part in parts.items()]
    return net.double()


# -- models that leave what can be recorded ------------------------------------------------------


def _turned_in_the_plane(x: Tensor) -> Tensor:
    angles = torch.polar(torch.ones(3).double(), torch.arange(3.0).double())
    return torch.view_as_real(torch.view_as_complex(x.view(-1, 3, 2)) * angles).flatten(1)


COMPLEX: dict[str, Callable[[Tensor], Tensor]] = {
    # the way through complex numbers must not be lost beside another that is real
    "view_as_complex": lambda x: x + _turned_in_the_plane(x),
    "fft_fft": lambda x: torch.fft.fft(x).real + x,
    "mul": lambda x: (x * torch.ones(6, dtype=torch.complex128)).real + x,
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_numbers_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedModel, match=f"^{name} .*complex numbers.*x \\* cos"):
        _explain(COMPLEX[name])


def test_batched_tensors_without_memory_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match=r"torch\.func\.vmap.*scaled_dot_product_attention"):
        _explain(torch.func.vmap(lambda row: row.view(2, 3).sum(0)))


class _Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"norm": nn.BatchNorm1d(6, dtype=torch.float64)})

    def forward(self, x: Tensor) -> Tensor:
        return self.body["norm"](x)


def test_batch_norm_in_training_mode_is_named_with_path_and_line() -> None:
    with pytest.raises(
        UnsupportedOperations,
        match=rf"batch_norm in 'body.norm' \({HERE}:\d+\): batch norm in training mode mixes the "
        r"samples; call model.eval\(\) first$",
    ):
        _explain(_Normed())


def test_a_refused_model_stays_as_it_was() -> None:
    model = _Normed()
    model.train()
    with pytest.raises(UnsupportedOperations):
        _explain(model)

    assert model.training
    assert model.body["norm"].training
    assert not torch.nn.modules.module._global_forward_hooks
    assert not torch.nn.modules.module._global_forward_pre_hooks


def _named(value: object) -> str:
    """An id without an address in it, the same in every test process."""
    return getattr(value, "__name__", None) or str(value)


@pytest.mark.parametrize("make", [torch.jit.script, lambda m: torch.jit.trace(m, X)])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_script_modules_are_named(make: Callable[[nn.Module], nn.Module]) -> None:
    model = nn.Sequential(make(nn.Linear(6, 6).double()), nn.ReLU())

    with pytest.raises(
        UntrackedTensor, match=r"ScriptModules, which cannot be seen into: \['0'\].*eager module"
    ):
        _explain(model)


def _numpy_round_trip(x: Tensor) -> Tensor:
    return x + torch.from_numpy(np.tanh(x.numpy()))


def _tolist_round_trip(x: Tensor) -> Tensor:
    return x * torch.tensor(x.tolist(), dtype=x.dtype)


def _array_round_trip(x: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(x) * 2)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (_numpy_round_trip, rf"shape \(3, 6\) at the model's forward, {HERE}:\d+\n.*NumPy"),
        (
            _tolist_round_trip,
            rf"left torch by tolist at .*{HERE}:\d+ and came back by torch.tensor",
        ),
        (_array_round_trip, r"left torch by __array__ at .* came back by torch.as_tensor"),
    ],
)
def test_values_that_left_torch_and_came_back_are_an_error(
    model: Callable[..., Any], match: str
) -> None:
    with pytest.raises(UntrackedTensor, match=match):
        _explain(model)


def test_a_number_taken_out_is_a_constant_with_a_note() -> None:
    ex = _explain(lambda x: x * torch.tensor(x.max().item()))

    assert any(re.search(rf"item at .*{HERE}:\d+ takes a number out", note) for note in ex.notes)


@library.custom_op("whence_tests::twice", mutates_args=())
def _twice(x: Tensor) -> Tensor:
    return x * 2


def test_all_operations_without_a_rule_are_listed_at_once() -> None:
    net = _net()

    def model(x: Tensor) -> Tensor:
        return net(torch.ops.whence_tests.twice(x)).cumprod(1)

    with pytest.raises(UnsupportedOperations) as caught:
        _explain(model)

    assert "2 operations have none" in str(caught.value)
    assert re.search(rf"twice in the model's forward \({HERE}:\d+\): add \(where.kind\('twice'\)",
                     str(caught.value))  # fmt: skip
    assert "cumprod in the model's forward" in str(caught.value)
    assert "passes relevance by the plain gradient, which conserves nothing" in str(caught.value)


class _Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True, dtype=torch.float64)
        self.memory = nn.LSTM(6, 4, batch_first=True, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.attention(x, x, x)
        x, _ = self.memory(x)
        return F.scaled_dot_product_attention(x, x, x)[:, -1]


def test_attention_and_recurrence_without_rules_are_listed_with_the_lines_to_paste() -> None:
    explainer = LRP(_Sequence(), Composite([(where.nature("linear"), rules.Zero())]))
    with pytest.raises(UnsupportedOperations) as caught:
        explainer.explain(rand(2, 3, 6), 1)

    lines = re.findall(r"in ('\w+'|the model's forward) .*: add (\(where.kind.*\))$",
                       str(caught.value), re.M)  # fmt: skip
    assert lines == [
        ("'attention'", "(where.kind('matmul'), rules.HalfEach())"),  # of Q K^T and of P V
        ("'memory'", "(where.kind('lstm'), rules.RecurrentCell())"),
        ("the model's forward", "(where.kind('scaled_dot_product_attention'), rules.Attention())"),
    ]


def test_pasting_the_advised_lines_works() -> None:
    composite = ZERO
    with pytest.raises(UnsupportedOperations) as caught:
        LRP(_Sequence(), composite).explain(rand(2, 3, 6), 1)
    lines = re.findall(r"add (\(where.kind.*\))$", str(caught.value), re.M)
    pasted = composite + eval(f"[{', '.join(lines)}]")
    ex = LRP(_Sequence(), pasted).explain(rand(2, 3, 6), 1, ledger="full")

    assert ex.relevance.abs().max() > 0
    ex.ledger.check()  # what is advised books what it loses


def _inference(x: Tensor) -> Tensor:
    with torch.inference_mode():
        return x * 2


def _gradient(x: Tensor) -> Tensor:
    with torch.enable_grad():
        y = x.clone().requires_grad_()
        return torch.autograd.grad(y.square().sum(), y)[0]


def _backward(x: Tensor) -> Tensor:
    with torch.enable_grad():
        y = x.clone().requires_grad_()
        y.square().sum().backward()
        return y.grad * 2  # type: ignore[operator]


def _out(x: Tensor) -> Tensor:
    result = torch.empty(3, 6, dtype=x.dtype)
    torch.mul(x, 2, out=result)
    return result


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def _written_unseen(x: Tensor) -> Tensor:
    h = x * 2
    _double_in_script(h)
    return h + 1


def _double_in_script(h: Tensor) -> None:
    torch.jit.script(_double)(h)


def _double(h: Tensor) -> Tensor:
    return h.mul_(2)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (_inference, rf"inference tensors \(.*{HERE}:\d+\).*Use torch.no_grad\(\) instead"),
        (
            _gradient,
            rf"calls autograd inside its forward \(.*{HERE}:\d+\).*explain the part",
        ),
        (_backward, rf"calls autograd inside its forward \(.*{HERE}:\d+\)"),
        (torch.func.grad(lambda x: x.square().sum()), "calls autograd inside its forward"),
        (_out, rf"`out=` writes past the recording \(mul at .*{HERE}:\d+\).*y = torch.op"),
        (_written_unseen, rf"overwritten by something the recording cannot see.*{HERE}:\d+"),
        (lambda x: x.detach() * 2, "does not depend on the explained inputs.*detach at .* cuts"),
        (lambda x: torch.ones(3, 6), "does not depend on the explained inputs: nothing was record"),
        (lambda x: x.sign_(), r"sign_ overwrites a value that depends on the input"),
    ],
    ids=_named,
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_what_cannot_be_recorded_is_an_error_with_its_place(
    model: Callable[..., Any], match: str
) -> None:
    with pytest.raises(UnsupportedModel, match=match):
        _explain(model)


# -- arguments that cannot be right --------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        (X * float("nan"), r"input of shape \(3, 6\) contains NaN.*Clean the input"),
        (X / 0, r"input of shape \(3, 6\) contains NaN or infinity"),
        (X[:0], r"input of shape \(0, 6\) is empty"),
        ("text", r"inputs must be a tensor, a tuple of tensors or a dict.*got str"),
        (np.ones((3, 6)), r"got ndarray. For an array: torch.as_tensor\(array\)"),
        ((X > 0,), "no input is a tensor of numbers"),
    ],
)
def test_inputs_that_cannot_be_explained(inputs: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        _explain(_net(), inputs)


@pytest.mark.parametrize(
    ("target", "match"),
    [
        (7, "Classes run from 0 to 3, got 7"),
        (-9, "Classes run from 0 to 3, got -9"),
        ([1, 2], r"One class for each of the 3 samples is needed, got shape \(2,\)"),
        (torch.tensor([0, 1, 4]), "Classes run from 0 to 3, got 4"),
        (True, "must be a class index, got a bool"),
        ("cat", "None, a class, one class for each sample, a target from whence.targets.*got str"),
        (1.5, "got float"),
        (lambda y: y.sum(), r"one number for each sample, shape \(3,\), got \(\).*output\[:, k\]"),
        (lambda y: 3, "got int"),
        (targets.Neuron(9), r"outside of the output, shape \(4,\) after the batch axis"),
        (targets.Neuron((1, 2)), r"Neuron\(1, 2\) is outside"),
        (targets.Neuron(1, at="frist"), "No module 'frist'.*Close names: first"),
        (targets.Weights(torch.ones(5)), r"shape \(5,\) do not broadcast .* shape \(3, 4\)"),
        (targets.Given(torch.ones(5)), r"Given relevance of shape \(5,\) .* shape \(3, 4\)"),
    ],
    ids=_named,
)
def test_targets_that_do_not_fit_the_output(target: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        _explain(_net(), X, target)


def test_each_needs_a_target() -> None:
    with pytest.raises(InvalidInput, match="Each needs at least one target"):
        targets.Each([])


def test_a_class_of_a_map_needs_more_than_a_number() -> None:
    with pytest.raises(InvalidInput, match=r"needs an output of shape \(batch, classes\).*Neuron"):
        _explain(lambda x: x.view(3, 2, 3))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"taps": ["fist"]}, "No module 'fist' passed a tensor .*Close names: first"),
        ({"conditions": {"secnd": [1]}}, "No module 'secnd'.*Close names: second"),
        ({"conditions": {"second": [9]}}, "condition on 'second' names channel 9, but it has 4"),
        ({"conditions": {"second": torch.ones(3, 3)}}, r"shape \(3, 3\); it must be a list of ch"),
        ({"conditions": {"second": "all"}}, "must be a channel, a list of channels or a mask"),
        ({"ledger": "ful"}, "ledger= must be 'summary', 'full', 'flow' or None, got 'ful'"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
    ids=_named,
)
def test_options_that_cannot_be_right(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        _explain(_net(), **options)


@pytest.mark.parametrize(
    ("returns", "output", "match"),
    [
        (lambda x: {"a": x, "b": x}, "c", r"output='c' is not in the model's output: \['a', 'b'\]"),
        (lambda x: (x, x), 5, "output=5 is not in the model's output: tuple"),
        (lambda x: x, "logits", "the model returns one tensor. Leave output= out"),
        (lambda x: "text", None, "The model returned str, from which no score can be taken"),
    ],
)
def test_outputs_that_are_not_there(returns: Callable[..., Any], output: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        LRP(returns, ZERO, output=output).explain(X, 1)


def test_an_unknown_nature_lists_the_natures() -> None:
    with pytest.raises(InvalidInput, match=r"no nature 'konv'; the natures are .*'linear'"):
        where.nature("konv")


def test_a_kind_needs_a_name() -> None:
    with pytest.raises(InvalidInput, match="needs at least one operation name"):
        where.kind()


def test_between_names_the_module_it_did_not_find() -> None:
    composite = Composite([*ZERO, (where.between("first", "thrd"), rules.Zero())])
    with pytest.raises(InvalidInput, match="no operation in module 'thrd'"):
        LRP(_net(), composite).explain(X, 1)
