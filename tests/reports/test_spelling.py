"""Options and targets go to plain values and come back; nothing else is ever built."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from whence import composites, rules, targets
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import preset, presets
from whence.reports._spelling import read_python, spell, unspell

BOX = {"low": 0.0, "high": 1.0}


def back(value: Any) -> Any:
    arrays: dict[str, np.ndarray] = {}
    return unspell(json.loads(json.dumps(spell(value, arrays, "x"), allow_nan=False)), arrays)


@pytest.mark.parametrize("name", presets())
def test_each_preset_comes_back_equal(name: str) -> None:
    composite = preset(name, dict(BOX))

    assert back(composite) == composite


@pytest.mark.parametrize(
    "target",
    [
        targets.Logit(3),
        targets.Logit(torch.tensor([3, 5])),
        targets.Logit([3, 5]),
        targets.Contrast(3, 9),
        targets.Highest(),
        targets.LogOdds(2),
        targets.Neuron((1, 2)),
        targets.Each([3, targets.Contrast(1, 2)]),
    ],
    ids=repr,
)
def test_each_target_comes_back(target: Any) -> None:
    assert repr(back(target)) == repr(target)
    assert type(back(target)) is type(target)


def test_selectors_come_back_as_they_were_joined() -> None:
    chosen = where.nature("linear") & ~(where.name("fc*") | where.first)
    composite = Composite([(chosen, rules.Gamma(0.1)), (where.last, rules.Epsilon(1e-3))])

    assert back(composite) == composite


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.1, "word", [1, (2.5, "a")], {"a": [1], "b": None}, math.inf]
)
def test_plain_values_come_back(value: Any) -> None:
    assert back(value) == value
    assert type(back(value)) is type(value)


def test_tensors_come_back_to_the_last_bit() -> None:
    x = torch.randn(2, 3, dtype=torch.float64)

    assert torch.equal(back(x), x)


@pytest.mark.parametrize(
    "value",
    [
        composites.EpsilonGammaBox(torch.rand(1, 3, 1, 1), torch.ones(1, 3, 1, 1)),
        Composite([(where.module(nn.Linear), rules.Zero())]),
        targets.Function(len),
        print,
    ],
    ids=["tensors in a rule", "a class", "a function in a target", "a function"],
)
def test_what_cannot_be_read_back_is_said_and_not_guessed(value: Any) -> None:
    spelled = spell(value, {}, "x")

    assert set(spelled) == {"opaque"}
    with pytest.raises(InvalidInput, match="Give it again"):
        unspell(spelled, {})


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "print(1)",
        "where.__builtins__",
        "where.fnmatchcase('a', 'b')",
        "where.dataclass(Gamma)",
        "where.torch.load('x')",
        "Gamma.__init__.__globals__",
        "Gamma(gamma=().__class__)",
        "[x for x in (1,)]",
        "lambda: 1",
        "Gamma(**{'gamma': 1})",
        "Gamma(gamma=tensor([0.1]))",
        "Composite(open('/etc/passwd'))",
        "as_target(print)",
        "'a' * 9",
        "-'a'",
        "1 + 1",
        "f'{1}'",
        "Gamma(gamma=b'a')",
        "(" * 5000 + ")" * 5000,
        "Gamma(gamma=" + "1" * 200_000 + ")",
        "not python",
        "",
    ],
)
def test_other_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_python(text)
