"""After an explanation nothing of the recording stays: no tensors, no model, no hooks."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from laws import ZERO, rand
from whence.composites import Composite, EpsilonPlus, where
from whence.explainers import LRP
from whence.rules import ZPlus
from whence.targets import Each


def _net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3),
    ).double().eval()  # fmt: skip


def _watched(net: nn.Sequential) -> list[weakref.ref[Tensor]]:
    """Weak references to every module's output; the hook is the test's own."""
    seen: list[weakref.ref[Tensor]] = []

    def watch(module: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.append(weakref.ref(output))

    for part in net[:-1]:
        part.register_forward_hook(watch)
    return seen


def _explain(net: nn.Module, composite: Composite = ZERO, **options: Any) -> Any:
    return LRP(net, composite).explain(rand(2, 3, 6, 6), 1, **options)


def _assert_dead(refs: list[weakref.ref[Any]]) -> None:
    gc.collect()
    assert len(refs) > 0
    assert [ref() is None for ref in refs] == [True] * len(refs)


@pytest.mark.parametrize("ledger", ["full", "summary", None])
@pytest.mark.parametrize("composite", [ZERO, EpsilonPlus()], ids=["zero", "epsilon-plus"])
def test_no_intermediate_tensor_outlives_the_explanation(
    ledger: str | None, composite: Composite
) -> None:
    net = _net()
    seen = _watched(net)
    ex = _explain(net, composite, ledger=ledger)

    _assert_dead(seen)
    assert ex.relevance.abs().sum() > 0


def test_tapped_relevance_keeps_no_activations() -> None:
    net = _net()
    seen = _watched(net)
    ex = _explain(net, taps=["2", "6"])

    _assert_dead(seen)
    assert ex.at("2").shape == (2, 4, 4, 4)


def test_many_targets_over_one_recording_leave_nothing() -> None:
    net = _net()
    seen = _watched(net)
    ex = LRP(net, ZERO).explain(rand(2, 3, 6, 6), Each([0, 1, 2]))

    _assert_dead(seen)
    assert ex.relevance.shape == (3, 2, 3, 6, 6)


def test_a_failed_explanation_leaves_nothing() -> None:
    net = _net()
    seen = _watched(net)
    with pytest.raises(ValueError, match="Classes run from 0 to 2"):
        LRP(net, ZERO).explain(rand(2, 3, 6, 6), 9)

    _assert_dead(seen)
    assert not torch.nn.modules.module._global_forward_hooks


def test_an_explainer_keeps_its_model_and_nothing_of_its_runs() -> None:
    net = _net()
    seen = _watched(net)
    explainer = LRP(net, EpsilonPlus())
    explainer.explain(rand(2, 3, 6, 6), 1)
    explainer.assignment(rand(2, 3, 6, 6))

    _assert_dead(seen)


def test_the_model_dies_with_its_last_user() -> None:
    net = _net()
    ref = [weakref.ref(net), *map(weakref.ref, net)]
    ex = _explain(net)
    relevance = ex.relevance
    del net, ex

    _assert_dead(ref)
    assert relevance.shape == (2, 3, 6, 6)


def test_the_models_tensors_die_with_it() -> None:
    net = _net()
    refs = [weakref.ref(each) for each in (*net.parameters(), *net.buffers())]
    _explain(net, EpsilonPlus())
    del net

    _assert_dead(refs)


def test_the_users_input_is_not_kept_alive_by_the_explainer() -> None:
    explainer = LRP(_net(), ZERO)
    x = rand(2, 3, 6, 6)
    ref = weakref.ref(x)
    explainer.explain(x, 1)
    del x

    _assert_dead([ref])


def test_values_are_freed_on_the_way_back() -> None:
    """While relevance goes back, what lies above is gone already: the peak stays low."""
    net = _net()
    seen = _watched(net)
    alive: list[int] = []

    class Probe(torch.overrides.TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            alive.append(sum(ref() is not None for ref in seen))
            return func(*args, **(kwargs or {}))

    with Probe():
        _explain(net, ledger=None)

    assert max(alive) >= 4
    assert alive[-1] <= 1


def test_z_plus_keeps_one_set_of_modified_weights_for_each_layer() -> None:
    explainer = LRP(_net(), Composite([(where.nature("linear"), ZPlus())]))
    explainer.explain(rand(2, 3, 6, 6), 1)  # |W| for signed inputs, else W+; never W- too
    kept = sorted(key[-1] for key in explainer._weights._made)

    assert kept == ["absolute", "affine", "positive", "positive"]
