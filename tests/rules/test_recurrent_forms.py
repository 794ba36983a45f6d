"""Recurrent layers in other forms: projections, packed sequences, and another rule for them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from laws import rand
from recurrences import FEW, KINDS, TIGHT, Last, composite, layer_of
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.rules import Epsilon, Gradient, HalfEach, RecurrentCell, SignalTakesAll, Zero
from whence.targets import Weights

# -- projections -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gates", ["signal", "half"])
def test_a_projection_is_a_linear_map_of_its_own(gates: str) -> None:
    layer = layer_of("lstm", 4, 5, proj_size=2, batch_first=True)
    W_x, W_h, b_x, b_h, W_out = layer.parameters()
    x, target = rand(2, 5, 4), Weights(rand(2, seed=5))
    rules = composite(RecurrentCell(gates, epsilon=0)) + [
        (where.nature("product"), SignalTakesAll() if gates == "signal" else HalfEach())
    ]

    def by_hand(x: Tensor) -> Tensor:
        h, c = x.new_zeros(2, 2), x.new_zeros(2, 5)
        for t in range(5):
            z = nn.functional.linear(x[:, t], W_x, b_x) + nn.functional.linear(h, W_h, b_h)
            i, f, g, o = z.chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = (o.sigmoid() * c.tanh()) @ W_out.T
        return h

    one = LRP(lambda x: layer(x)[0][:, -1], rules).explain(x, target)
    other = LRP(by_hand, rules).explain(x, target)

    torch.testing.assert_close(one.relevance, other.relevance, **TIGHT)


@pytest.mark.parametrize(
    "rule", [RecurrentCell(), RecurrentCell(bias="zero"), RecurrentCell("half")], ids=repr
)
def test_projections_close_too(rule: RecurrentCell) -> None:
    layer = layer_of("lstm", 4, 5, proj_size=2, batch_first=True, bidirectional=True, num_layers=2)
    head = (where.nature("linear"), Epsilon(0.05, bias="distribute"))

    ex = LRP(Last(layer), composite(rule) + [head]).explain(rand(3, 5, 4), 1, ledger="full")

    ex.ledger.check()


def test_handing_out_has_no_form_for_projections() -> None:
    net = Last(layer_of("lstm", proj_size=2, batch_first=True))

    with pytest.raises(InvalidInput, match="no form for the projection of lstm in 'layer'"):
        LRP(net, composite(RecurrentCell(bias="distribute"))).explain(rand(2, 5, 4), 1)


# -- packed sequences ------------------------------------------------------------------------------


class Packed(nn.Module):
    """Words of several lengths, packed; read at the last states."""

    def __init__(self, kind: str, **options: object) -> None:
        super().__init__()
        self.layer = layer_of(kind, bidirectional=True, **options)
        self.batch_first = self.layer.batch_first

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, self.batch_first, enforce_sorted=False)
        out, states = self.layer(packed)
        last = states[0] if isinstance(states, tuple) else states
        padded, _ = pad_packed_sequence(out, self.batch_first, total_length=x.shape[self._axis])
        return torch.cat([*last, padded.sum(self._axis)], -1)

    @property
    def _axis(self) -> int:
        return 1 if self.batch_first else 0


@KINDS
@FEW
def test_packed_words_are_explained_as_if_alone_and_padding_gets_nothing(
    kind: str, rule: RecurrentCell
) -> None:
    net, x = Packed(kind, batch_first=True), rand(4, 6, 4)
    lengths = [3, 6, 1, 4]
    width = net(x, torch.tensor(lengths)).shape[1]
    explainer = LRP(lambda x: net(x, torch.tensor(lengths)), composite(rule))
    target = Weights(rand(width, seed=6))

    ex = explainer.explain(x, target, ledger="full")

    ex.ledger.check()
    for n, length in enumerate(lengths):
        alone = LRP(lambda x, length=length: net(x, torch.tensor([length])), composite(rule))
        expected = alone.explain(x[n : n + 1, :length], target).relevance
        torch.testing.assert_close(ex.relevance[n : n + 1, :length], expected, **TIGHT)
        assert not ex.relevance[n, length:].any()


@KINDS
def test_a_packed_stack_of_layers_closes(kind: str) -> None:
    net = Packed(kind, num_layers=2)
    lengths = torch.tensor([3, 6, 1, 4])
    explainer = LRP(lambda x: net(x, lengths), composite(RecurrentCell()), batch_axis=1)

    ex = explainer.explain(rand(6, 4, 4), 1, ledger="full")

    ex.ledger.check()
    assert not ex.relevance[3:, 0].any()


# -- where the rule is put -------------------------------------------------------------------------


def test_the_plain_gradient_is_still_a_rule_for_layers() -> None:
    net, x = Last(layer_of("lstm", batch_first=True)), rand(2, 5, 4)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    rules = Composite([(where.nature("linear"), Zero()), (where.nature("recurrent"), Gradient())])

    ex = LRP(net, rules).explain(x, 1)

    torch.testing.assert_close(ex.relevance, expected * x, **TIGHT)


def test_the_plain_gradient_takes_relevance_at_a_second_output() -> None:
    layer = layer_of("lstm", batch_first=True)
    head = nn.Linear(3, 2, dtype=torch.float64)
    rules = Composite([
        (where.nature("linear"), Zero("distribute")), (where.nature("recurrent"), Gradient()),
    ])  # fmt: skip
    x = rand(2, 5, 4)

    ex = LRP(lambda x: head(layer(x)[1][1][0]), rules).explain(x, 1)

    leaf = x.clone().requires_grad_()
    c = layer(leaf)[1][1][0]
    R = c * head.weight[1] + head.bias[1] / 3
    (expected,) = torch.autograd.grad(c, leaf, (R / c).detach())
    torch.testing.assert_close(ex.relevance, expected * x, **TIGHT)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RecurrentCell("all"), "gates= one of .*'all'"),
        (lambda: RecurrentCell(scale="big"), "scale= must be .*'big'"),
        (lambda: RecurrentCell(epsilon=-1.0), "epsilon >= 0, got -1.0"),
        (lambda: RecurrentCell(bias="no"), "RecurrentCell needs bias= one of .*'no'"),
        (lambda: RecurrentCell("half", bias="distribute"), "got gates='half'. Try"),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        make()
