"""AttnLRP and CP-LRP as methods, the default for transformers, and the audit."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import whence
from laws import rand
from whence import composites, explainers
from whence.composites import Composite, where
from whence.errors import UnsupportedOperations
from whence.explainers import LRP, audit, preset
from whence.rules import Gradient, Hold
from whence.targets import Weights
from whence.testing import check_explainer


class Reader(nn.Module):
    """Reads five tokens of width 6 and gives three scores; norms and gates written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(6, 18), nn.Linear(6, 6)
        self.gate, self.up, self.down = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 6)
        self.position = nn.Parameter(torch.randn(5, 6))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (2, 9)).transpose(1, 2).chunk(3, -1)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        h = self.norm(x)
        gate = self.gate(h)
        gelu = 0.5 * gate * (1 + torch.tanh(0.8 * (gate + 0.045 * gate**3)))
        x = x + self.down(gelu * self.up(h))
        return self.head(self.norm(x).mean(1))

    @staticmethod
    def norm(x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        return x * (x.pow(2).mean(-1, keepdim=True) + 1e-5) ** -0.5


@pytest.fixture
def reader() -> nn.Module:
    return Reader().double().eval()


METHODS = {"attnlrp": explainers.AttnLRP, "cp-lrp": explainers.CPLRP}
PRESETS = ["epsilon", "epsilon-plus", "epsilon-plus-flat", "epsilon-alpha2-beta1", "attnlrp"]
PRESETS += ["cp-lrp", "epsilon-alpha2-beta1-flat", "deep-taylor"]


@pytest.mark.parametrize("name", METHODS)
def test_the_methods_keep_the_contract_on_a_transformer(name: str, reader: nn.Module) -> None:
    check_explainer(METHODS[name], reader, rand(3, 5, 6, dtype=torch.float32))


@pytest.mark.parametrize("name", METHODS)
def test_the_methods_are_lrp_with_the_composite_of_their_name(name: str, reader: nn.Module) -> None:
    x = rand(2, 5, 6)

    found = whence.explain(reader, x, 1, method=name)
    expected = LRP(reader, preset(name)).explain(x, 1)

    torch.testing.assert_close(found.relevance, expected.relevance)
    assert found.method == name


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_explains_a_transformer(name: str, reader: nn.Module) -> None:
    ex = LRP(reader, preset(name)).explain(rand(2, 5, 6), 1, ledger="full")

    assert ex.relevance.isfinite().all()
    assert ex.relevance.any()
    ex.ledger.check()


def test_the_default_is_attnlrp_where_there_is_attention(reader: nn.Module) -> None:
    x = rand(2, 5, 6)

    found = LRP(reader).explain(x, 1).relevance

    torch.testing.assert_close(found, LRP(reader, composites.AttnLRP()).explain(x, 1).relevance)


def test_a_softmax_that_ends_a_net_is_no_attention() -> None:
    net = nn.Sequential(
        nn.Conv1d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3), nn.Softmax(1)
    )
    net, x = net.double(), rand(2, 6, 5)

    found = LRP(net).explain(x, 1).relevance
    expected = LRP(net, composites.EpsilonPlusFlat()).explain(x, 1).relevance

    torch.testing.assert_close(found, expected)


def test_a_logarithm_is_no_normaliser() -> None:
    model = lambda x: x * torch.log(x.square().sum(-1, keepdim=True))  # noqa: E731
    with pytest.raises(UnsupportedOperations, match=r"log in .*: add \(where.kind\('log'\)"):
        LRP(model, composites.AttnLRP()).explain(rand(2, 4), 1)


def test_one_over_a_value_that_is_added_is_no_normaliser() -> None:
    model = lambda x: x + torch.rsqrt(x.square().sum(-1, keepdim=True))  # noqa: E731
    with pytest.raises(UnsupportedOperations, match="rsqrt in"):
        LRP(model, composites.AttnLRP()).explain(rand(2, 4), 1)


# -- the audit ------------------------------------------------------------------------------------


def test_an_audit_lists_the_operations_on_the_way_and_no_others(reader: nn.Module) -> None:
    found = audit(reader, rand(2, 5, 6), 1)

    names = {line.op for line in found.lines}
    assert {"linear", "scaled_dot_product_attention", "mul", "add", "mean"} <= names
    assert not {"pow", "tanh"} & names  # held: normalisers, and what a GELU multiplies x by
    assert (found.share, found.plain) == (1.0, ())
    assert f"100.0% of {len(found.lines)} operations have a published rule." in str(found)


def test_an_audit_names_what_passes_by_the_plain_gradient() -> None:
    model = lambda x: torch.log(x.exp().cumsum(1)) + x  # noqa: E731

    found = whence.audit(model, rand(2, 4), 1)

    assert found.plain == ("log",)
    assert found.share == 3 / 4  # exp, cumsum and the sum have one
    assert "by the plain gradient pass:\n  log in ''" in str(found)


def test_a_gradient_that_was_asked_for_is_plain_too(reader: nn.Module) -> None:
    rules = composites.AttnLRP() + [(where.nature("attention"), Gradient())]

    found = audit(reader, rand(2, 5, 6), 1, composite=rules)

    assert found.plain == ("scaled_dot_product_attention",)


def test_what_is_held_is_not_on_the_way() -> None:
    held = Composite([(where.kind("sigmoid"), Hold())]) + composites.EpsilonEverywhere()

    found = audit(lambda x: x * torch.sigmoid(x.flip(1)), rand(2, 4), 1, composite=held)

    assert {line.op for line in found.lines} == {"mul"}


def test_an_audit_does_not_touch_the_model(reader: nn.Module) -> None:
    before = {name: each.clone() for name, each in reader.state_dict().items()}
    audit(reader, rand(2, 5, 6), Weights(torch.ones(3).double()))

    after = reader.state_dict()
    assert all(torch.equal(each, after[name]) for name, each in before.items())
    assert all(each.grad is None for each in reader.parameters())
