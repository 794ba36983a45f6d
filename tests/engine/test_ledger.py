"""The book: every column against its own definition, computed by hand."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import ZERO, assert_closes, rand
from whence import targets
from whence.composites import Composite, where
from whence.engine import COLUMNS, Ledger, Message, Node
from whence.errors import InvalidInput, NotAvailable, NotConserved
from whence.explainers import LRP
from whence.rules import AlphaBeta, Epsilon, Flat, RecurrentCell, WSquare, Zero, ZPlus


def _tensor(*numbers: Any) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None).double()
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    return layer


def _explain(model: Any, x: Tensor, rule: Any, target: Any = 0, ledger: str = "full") -> Any:
    composite = Composite([(where.nature("linear"), rule)])
    return LRP(model, composite).explain(x, target, ledger=ledger)


def _row(ex: Any, name: str) -> Any:
    rows = [row for row in ex.ledger if row.op == name]
    assert len(rows) == 1, [row.op for row in ex.ledger]
    return rows[0]


# x = (2, -1), W = ((3, 1), (1, 4)), b = (1, -2): z = (6, -4), two samples x and 2 x
X = _tensor([2.0, -1.0], [4.0, -2.0])
LAYER = _linear(_tensor([3.0, 1.0], [1.0, 4.0]), _tensor(1.0, -2.0))


def test_bias_is_b_times_s() -> None:
    """Target z_0: s = (1, 0), so the bias takes b_0 = 1 of 6, and of 11 in the second sample."""
    row = _row(_explain(LAYER, X, Zero()), "linear")

    assert row.r_out.tolist() == [6.0, 11.0]
    assert row.r_in.tolist() == [5.0, 10.0]
    assert row.bias.tolist() == [1.0, 1.0]
    assert row.residual.tolist() == [0.0, 0.0]


def test_epsilon_is_eps_times_s() -> None:
    """eps = 1 absolute: s = 6 / (6 + 1), epsilon takes s, the bias s, the inputs 5 s."""
    row = _row(_explain(LAYER, X[:1], Epsilon(1.0, scale="absolute")), "linear")

    torch.testing.assert_close(row.epsilon, _tensor(6 / 7))
    torch.testing.assert_close(row.bias, _tensor(6 / 7))
    torch.testing.assert_close(row.r_in, _tensor(5 * 6 / 7))


def test_relative_epsilon_is_a_fraction_of_the_root_mean_square_of_one_row() -> None:
    """z = (6, -4): rms = sqrt(26), eps = sqrt(26) / 10."""
    row = _row(_explain(LAYER, X[:1], Epsilon(0.1)), "linear")
    eps = 26**0.5 / 10

    torch.testing.assert_close(row.epsilon, _tensor(eps * 6 / (6 + eps)))


def test_epsilon_of_a_negative_output_has_its_sign() -> None:
    """Target z_1 = -4: s = -4 / (-4 - 1); the stabiliser takes -1 s, the bias -2 s."""
    row = _row(_explain(LAYER, X[:1], Epsilon(1.0, scale="absolute"), 1), "linear")

    torch.testing.assert_close(row.epsilon, _tensor(-4 / 5))
    torch.testing.assert_close(row.bias, _tensor(-2 * 4 / 5))


def test_z_plus_drops_what_has_no_positive_side() -> None:
    """All contributions of z = -2 - 3 are negative, so z+ has nobody to give -5 to."""
    row = _row(_explain(_linear(_tensor([-1.0, 3.0])), _tensor([2.0, -1.0]), ZPlus()), "linear")

    assert row.dropped.tolist() == [-5.0]
    assert row.r_in.tolist() == [0.0]


def test_alpha_beta_drops_the_share_of_an_empty_side() -> None:
    """z = 2 + 3 = 5: alpha R = 10 to the inputs, -beta R = -5 has no negative side."""
    rule = AlphaBeta(2, 1)
    row = _row(_explain(_linear(_tensor([1.0, -3.0])), _tensor([2.0, -1.0]), rule), "linear")

    assert row.dropped.tolist() == [-5.0]
    assert row.r_in.tolist() == [10.0]


@pytest.mark.parametrize("rule", [Flat(), WSquare()])
def test_rules_that_do_not_look_at_the_input_book_nothing(rule: Any) -> None:
    row = _row(_explain(LAYER, X, rule), "linear")

    torch.testing.assert_close(row.r_in, _tensor(6.0, 11.0))
    assert row.r_out.tolist() == [6.0, 11.0]
    assert row.lost.tolist() == [0.0, 0.0]


def test_softmax_books_its_zero_order_term() -> None:
    """y(x) - J x for the chosen class, by finite central differences."""
    x, h = rand(1, 3), 1e-6
    ex = assert_closes(lambda x: F.softmax(x, 1) * 1.0, x, lambda y: y[:, 0])
    slope = (F.softmax(x * (1 + h), 1) - F.softmax(x * (1 - h), 1)) / (2 * h)

    torch.testing.assert_close(
        _row(ex, "softmax").softmax, (F.softmax(x, 1) - slope)[:, 0], rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize(
    ("function", "name", "at_zero"),
    [
        (torch.sigmoid, "sigmoid", 0.5),
        (torch.exp, "exp", 1.0),
        (F.softplus, "softplus", 0.6931471805599453),
        (torch.cos, "cos", 1.0),
        (F.hardsigmoid, "hardsigmoid", 0.5),
        (F.logsigmoid, "logsigmoid", -0.6931471805599453),
    ],
)
def test_the_value_at_zero_of_a_pointwise_function_is_bias(
    function: Any, name: str, at_zero: float
) -> None:
    ex = assert_closes(function, rand(2, 3), lambda y: 2 * y[:, 1])
    row = _row(ex, name)

    torch.testing.assert_close(row.bias, torch.full((2,), 2 * at_zero, dtype=torch.float64))
    torch.testing.assert_close(row.r_in, row.r_out - row.bias)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_far_below_zero_a_gelu_closes_in_float32(approximate: str) -> None:
    """x Phi(x) has few digits there; what counts is what torch computed."""
    x = torch.linspace(-5.3, -3.5, 40)[None]
    weights = torch.logspace(7, 0, 40)
    ex = LRP(lambda x: F.gelu(x, approximate=approximate), ZERO).explain(
        x, lambda y: (y * weights).sum(1), ledger="full"
    )

    assert ex.ledger.check().tolerance == 1e-5


def test_a_constant_addend_is_bias() -> None:
    ex = assert_closes(lambda x: 3 * (x + 4), X, lambda y: y[:, 0])

    assert _row(ex, "add").bias.tolist() == [12.0, 12.0]


def test_the_shift_of_a_layer_norm_is_bias() -> None:
    norm = nn.LayerNorm(2).double()
    norm.bias.data = _tensor(0.5, -3.0)
    ex = assert_closes(norm, X, lambda y: y[:, 1])

    assert _row(ex, "layer_norm").bias.tolist() == [-3.0, -3.0]


def test_a_joined_batch_norm_books_one_bias() -> None:
    """gamma / sd = 2, so b' = 2 (1 - mean 3) + 4 = 0 for z_0."""
    norm = nn.BatchNorm1d(2, eps=0.0).double().eval()
    norm.running_mean = _tensor(3.0, 3.0)
    norm.weight.data, norm.bias.data = _tensor(2.0, 2.0), _tensor(4.0, 4.5)
    ex = _explain(nn.Sequential(LAYER, norm), X[:1], Zero(), 1)
    row = _row(ex, "linear")

    assert row.r_out.tolist() == [2 * (-4 - 3) + 4.5]
    assert row.bias.tolist() == [2 * (-2 - 3) + 4.5]


def test_a_batch_norm_alone_books_its_shift() -> None:
    norm = nn.BatchNorm1d(2, eps=0.0).double().eval()
    norm.running_mean = _tensor(3.0, 1.0)
    ex = assert_closes(norm, X, lambda y: y[:, 0])

    assert _row(ex, "batch_norm").bias.tolist() == [-3.0, -3.0]


def test_values_written_over_take_their_relevance_as_bias() -> None:
    ex = assert_closes(lambda x: x.masked_fill(x < 0, 5.0), X, lambda y: y.sum(1))

    assert _row(ex, "masked_fill").bias.tolist() == [5.0, 5.0]


def test_relevance_that_falls_on_padding_is_dropped() -> None:
    """Flat spreads over the padding too; what lands there is booked, not shared out anew."""
    composite = Composite([*ZERO, (where.first, Flat())])
    layer = nn.Conv1d(1, 1, 3, bias=False).double()
    ex = LRP(lambda x: layer(F.pad(x, (1, 1))), composite).explain(
        rand(1, 1, 1), lambda y: y.sum((1, 2)), ledger="full"
    )
    ex.ledger.check()

    torch.testing.assert_close(_row(ex, "pad").dropped, 2 / 3 * ex.score)


def test_a_reference_value_is_booked_as_bias_of_the_target() -> None:
    from whence.targets import Neuron, Relative

    ex = _explain(LAYER, X, Zero(), Relative(2.0, Neuron(0)))
    ex.ledger.check()

    assert ex.score.tolist() == [4.0, 9.0]
    assert _row(ex, "target").bias.tolist() == [-2.0, -2.0]


# -- the book as a whole -------------------------------------------------------------------------


def test_rows_are_one_number_for_each_sample() -> None:
    ex = assert_closes(nn.Sequential(LAYER, nn.ReLU(), LAYER), X)

    assert all(row.per_sample and row.r_out.shape == (2,) for row in ex.ledger)


def test_where_the_batch_axis_is_lost_the_book_says_so() -> None:
    def model(x: Tensor) -> Tensor:
        return x.reshape(-1, 1).flip(0).mul(2).reshape(2, 2)

    ex = assert_closes(model, X)
    lost = {row.op for row in ex.ledger if not row.per_sample}

    assert lost == {"reshape", "flip", "mul"}


def test_the_verdict_is_one_line_with_score_losses_and_residual() -> None:
    verdict = _explain(LAYER, X, Zero()).ledger.verdict

    assert verdict == (
        "score 17 = inputs 15 + lost (bias 2); "
        "every row closes (worst residual 0.0e+00 of its relevance)"
    )


def test_the_summary_books_the_same_losses_as_the_full_book() -> None:
    model = nn.Sequential(LAYER, nn.GELU(), LAYER, nn.Sigmoid(), nn.LayerNorm(2)).double()
    composite = Composite([(where.nature("linear"), Epsilon(0.1))])
    full = LRP(model, composite).explain(X, 0, ledger="full").ledger.check()
    summary = LRP(model, composite).explain(X, 0, ledger="summary").ledger.check()

    assert len(summary) < len(full)
    assert {c: summary.total(c) for c in COLUMNS} == {c: full.total(c) for c in COLUMNS}


def test_without_a_ledger_there_is_none() -> None:
    assert LRP(LAYER, ZERO).explain(X, 0, ledger=None).ledger is None


def test_rows_are_plain_numbers_summed_over_the_samples() -> None:
    rows = _explain(LAYER, X, Zero()).ledger.to_rows()

    assert rows == [
        {"op": "linear", "path": "", "r_out": 17.0, "r_in": 15.0, "bias": 2.0, "epsilon": 0.0,
         "dropped": 0.0, "softmax": 0.0, "residual": 0.0, "absolute": 21.0},
    ]  # fmt: skip


def test_printing_shows_every_row_and_the_verdict() -> None:
    ledger = _explain(nn.Sequential(LAYER, nn.ReLU()), X, Zero()).ledger
    lines = str(ledger).splitlines()

    assert lines[0].split() == ["operation", "module", "r_out", "r_in", *COLUMNS, "residual"]
    assert [line.split()[:2] for line in lines[1:-1]] == [["relu", "1"], ["linear", "0"]]
    assert lines[-1] == ledger.verdict


def test_a_row_that_does_not_close_fails_with_its_place() -> None:
    ledger = Ledger(2, torch.float64)
    row = ledger.open("linear", "net.0", "net.py:7")
    row.arrive(_tensor(1.0, 1.0))
    row.send(_tensor(1.0, 0.9))

    with pytest.raises(NotConserved, match=r"linear in 'net.0' \(net.py:7\) lost 1.0e-01 of its"):
        ledger.check()
    assert "linear does NOT close" in ledger.verdict
    assert ledger.check(0.2) is ledger


def test_a_row_that_holds_no_number_fails() -> None:
    ledger = Ledger(1, torch.float64)
    row = ledger.open("linear", "", "")
    row.arrive(_tensor(1.0))
    row.send(_tensor(float("nan")))

    with pytest.raises(NotConserved):
        ledger.check()


def test_relevance_that_is_lost_between_rows_fails() -> None:
    ledger = Ledger(1, torch.float64)
    row = ledger.open("linear", "", "")
    row.arrive(_tensor(1.0))
    row.send(_tensor(1.0))
    ledger.score, ledger.explained = _tensor(1.0), _tensor(0.75)

    with pytest.raises(NotConserved, match=r"Of the score, 0.25 arrived nowhere and no row booked"):
        ledger.check()
    assert "0.25 is MISSING" in ledger.verdict


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-5)])
def test_the_tolerance_follows_the_precision(dtype: torch.dtype, tolerance: float) -> None:
    assert Ledger(1, dtype).tolerance == tolerance


def test_only_known_details_are_taken() -> None:
    with pytest.raises(InvalidInput, match="'summary', 'full', 'flow' or None, got 'all'"):
        Ledger(1, torch.float64, "all")


def test_joined_books_hold_the_rows_of_both() -> None:
    whole = _explain(LAYER, X, Zero()).ledger
    parts = [_explain(LAYER, X[i : i + 1], Zero()).ledger for i in (0, 1)]
    joined = parts[0].join(parts[1]).check()

    assert joined.batch == 2
    assert len(joined) == 2 * len(whole)
    assert joined.score.tolist() == whole.score.tolist()
    assert joined.verdict.split(";")[0] == whole.verdict.split(";")[0]


def test_a_data_frame_has_one_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(DataFrame=lambda rows: ("frame", rows))
    monkeypatch.setitem(__import__("sys").modules, "pandas", fake)
    ledger = _explain(LAYER, X, Zero()).ledger

    assert ledger.to_frame() == ("frame", ledger.to_rows())


def test_without_pandas_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)

    with pytest.raises(NotAvailable, match="pip install pandas"):
        Ledger(1, torch.float64).to_frame()


def _large(rule: Any, x: Tensor, weights: Tensor) -> Any:
    """One convolution over more elements than a row measures whole; the target weighs them all."""
    layer = nn.Conv2d(1, 4, 3, padding=1, bias=False)
    layer.weight.data = weights
    return _explain(layer, x, rule, targets.Weights(torch.ones(4, *x.shape[2:])), "summary")


def test_a_large_row_is_measured_by_a_part_that_never_exceeds_the_whole() -> None:
    x = torch.rand(2, 1, 300, 300) - 0.5
    ex = _large(Zero(), x, torch.randn(4, 1, 3, 3))
    row = _row(ex, "conv2d")
    whole = ex.relevance.double().abs().flatten(1).sum(1)

    assert "absolute_out" not in row._sums  # the part was enough
    assert bool((row.absolute <= whole).all())
    assert bool((row.absolute > whole / 100).all())
    ex.ledger.check()


def test_a_large_row_whose_part_is_zero_is_measured_whole() -> None:
    """All relevance is behind the first eighth, and cancels: only the whole |R| is a yardstick."""
    x = torch.zeros(1, 1, 400, 400)
    x[..., 200:] = torch.randn(1, 1, 400, 200)
    x[..., 200:300] = -x[..., 300:].flip(-1)
    x = x.transpose(2, 3).contiguous()
    weights = torch.zeros(4, 1, 3, 3)
    weights[:, 0, 1, 1] = torch.tensor([1.0, 2.0, 3.0, -4.0])
    ex = _large(Zero(), x + 0.1 * (x != 0), weights)

    ex.ledger.check()
    exact = ex.relevance.double().abs().sum()
    torch.testing.assert_close(_row(ex, "conv2d").absolute.sum(), exact, rtol=1.0, atol=0)


@pytest.mark.parametrize("factor", [1.01, 1.0001])
def test_a_large_row_with_a_wrong_rule_does_not_close(factor: float) -> None:
    @dataclass(frozen=True)
    class Wrong(Zero):
        def send(self, node: Node) -> list[Message | None]:
            return [m and m.times(torch.tensor(factor)) for m in super().send(node)]

    ex = _large(Wrong(), torch.rand(2, 1, 300, 300), torch.rand(4, 1, 3, 3))

    with pytest.raises(NotConserved, match="conv2d"):
        ex.ledger.check()


def test_an_operation_in_lower_precision_is_held_to_its_own_tolerance() -> None:
    model = lambda x: (x.float() * 3.0).double() + x  # noqa: E731

    ex = LRP(model).explain(rand(2, 4), targets.Weights(rand(4, seed=1)), ledger="full")

    found = {row.op: row.tolerance for row in ex.ledger}
    assert found == {"float": 1e-5, "mul": 1e-5, "double": 1e-5, "add": 1e-11}
    ex.ledger.check()


def test_a_row_where_another_axis_comes_first_is_booked_for_all_samples_together() -> None:
    x, y = rand(2, 3), rand(2, 3, seed=1)  # as many texts as pictures

    ex = LRP(lambda x, y: (x @ y.t()).t()).explain((x, y), 0, ledger="full")

    assert [row.per_sample for row in ex.ledger if row.op == "t"] == [False, False]
    ex.ledger.check()


@pytest.mark.parametrize("batch", [1, 3])
def test_a_value_without_axes_is_booked(batch: int) -> None:
    assert_closes(lambda x: x.mean() * x, rand(batch, 4))


class _LastState(nn.Module):
    """A recurrent net of as many layers as there are samples."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.LSTM(4, 4, num_layers=2, batch_first=True).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[1][0][-1]


AS_LONG_AS_THE_BATCH = {
    "last state": _LastState,
    "stack and slice": lambda: lambda x: torch.stack([x.mean(1), x.sum(1)])[1],
    "stack and sum": lambda: lambda x: torch.stack([x.mean(1), x.sum(1)]).sum(0),
    "stack and chunk": lambda: lambda x: torch.stack([x.mean(1), x.sum(1)]).chunk(2)[1][0],
    "turned": lambda: lambda x: (x.transpose(0, 1) * 2.0)[1],
}


@pytest.mark.parametrize("name", AS_LONG_AS_THE_BATCH)
def test_an_axis_that_happens_to_be_as_long_as_the_batch_is_no_batch(name: str) -> None:
    composite = ZERO + [(where.nature("recurrent"), RecurrentCell())]
    assert_closes(AS_LONG_AS_THE_BATCH[name](), rand(2, 2, 4), composite=composite)


def test_what_is_lost_by_one_sample_and_won_by_another_is_no_residual_of_the_whole() -> None:
    ledger = Ledger(2, torch.float64)
    row = ledger.open("sum", "", "")
    row.arrive(torch.tensor([[1.0], [2.0]]).double())
    row.send(torch.tensor([[2.0], [1.0]]).double())
    row.settle()
    other = ledger.open("sum", "", "")
    other.arrive(torch.tensor([[1.0], [2.0]]).double())
    other.send(torch.tensor([[2.0], [1.1]]).double())
    other.settle()

    assert not row.per_sample
    assert other.per_sample
    with pytest.raises(NotConserved):
        ledger.check()
