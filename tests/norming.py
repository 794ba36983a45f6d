"""What the tests of normalisations share."""

import torch

from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.rules import Rule, Zero, ZPlus


def everywhere(rule: Rule) -> Composite:
    return Composite([(where.nature("linear"), rule)])


ZERO, PLUS = everywhere(Zero()), everywhere(ZPlus())


def assert_same(found: Explanation, expected: Explanation) -> None:
    torch.testing.assert_close(found.relevance, expected.relevance, rtol=1e-9, atol=1e-11)
