"""Streams of a ledger: what went from where to where, by hand and against taps."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import SEQUENTIAL, UNet, highest, images, prepared
from whence import zoo
from whence._flow import Flow, Station
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.rules import Zero
from whence.targets import Contrast

ZERO = Composite([(where.nature("linear"), Zero())])


class Residual(nn.Module):
    """y = W x + b + x."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2).double()
        self.linear.weight.data = torch.tensor([[1.0, -1.0], [2.0, 0.0]], dtype=torch.float64)
        self.linear.bias.data = torch.tensor([1.0, 0.0], dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + x


X = torch.tensor([[3.0, 1.0]], dtype=torch.float64)


def flow_of(model: Any, x: Any, target: Any = 0, **options: Any) -> Flow:
    return LRP(model, ZERO).explain(x, target, ledger="flow", **options).ledger.flow()


def streams(flow: Flow) -> dict[tuple[str, str], tuple[float, float]]:
    names = [each.name for each in flow.stations]
    return {(names[s.above], names[s.below]): (s.positive, s.negative) for s in flow.streams}


def test_a_residual_sum_sends_two_streams_computed_by_hand() -> None:
    # y_0 = (3 - 1 + 1) + 3 = 6; the layer gets 3 of it: 3 and -1 to the inputs, 1 to the bias.
    flow = flow_of(Residual(), X)

    assert streams(flow) == {
        ("score", "add"): (6, 0),
        ("add", "linear"): (3, 0),
        ("add", "input"): (3, 0),
        ("linear", "input"): (3, -1),
    }
    assert [each.name for each in flow.stations] == ["score", "add", "linear", "input"]
    assert flow.stations[2] == Station(
        "linear", "linear", flow.stations[2].source, repr(Zero()), 3, 2, {"bias": 1}, (1,)
    )
    assert flow.stations[3].received == 5


def test_samples_of_a_batch_add_up() -> None:
    flow = flow_of(Residual(), torch.cat([X, -X]))

    # y_0(-x) = (-3 + 1 + 1) - 3 = -4: the layer gets -1, of which -3 and 1, and 1 to the bias.
    assert streams(flow)["score", "add"] == (6, -4)
    assert streams(flow)["add", "linear"] == (3, -1)
    assert streams(flow)["linear", "input"] == (3 + 1, -1 - 3)
    assert flow.stations[2].lost == {"bias": 2}


def test_a_contrast_starts_with_both_signs() -> None:
    flow = flow_of(Residual(), X, Contrast(0, 1))

    assert streams(flow)["score", "add"] == (6, -7)
    assert flow.stations[0].received == -1


def test_what_a_condition_masks_is_dropped_where_it_stands() -> None:
    flow = flow_of(Residual(), X, conditions={"linear": torch.zeros(2, dtype=torch.float64)})

    assert flow.stations[2].lost == {"dropped": 3}
    assert ("linear", "input") not in streams(flow) or streams(flow)["linear", "input"] == (0, 0)


def test_several_inputs_have_a_station_each() -> None:
    flow = flow_of(lambda a, b: a + 2 * b, (X, X.clone()))

    assert [each.name for each in flow.stations[-2:]] == ["input 1", "input 2"]
    assert sorted(each.received for each in flow.stations[-2:]) == [3, 6]


def test_streams_are_what_taps_show() -> None:
    net = zoo.model("digits-cnn")
    taps = [path for path, each in net.module.named_modules() if isinstance(each, nn.Conv2d)]
    x = torch.rand(2, *net.input_shape, generator=torch.Generator().manual_seed(0))
    ex = LRP(net.module).explain(x, 3, ledger="flow", taps=[*taps, "classifier"])
    flow = ex.ledger.flow()

    found = {
        each.path: sum(s.positive for s in flow.streams if s.below == k)
        for k, each in enumerate(flow.stations)
    }
    expected = {path: float(R.double().clamp(min=0).sum()) for path, R in ex.taps.items()}
    assert {path: found[path] for path in expected} == pytest.approx(expected, rel=1e-6)


def test_following_the_streams_changes_no_relevance() -> None:
    net = zoo.model("digits-cnn")
    x = torch.rand(2, *net.input_shape, generator=torch.Generator().manual_seed(1))
    plain, full, followed = (
        LRP(net.module).explain(x, 3, ledger=each) for each in (None, "full", "flow")
    )

    assert torch.equal(plain.relevance, followed.relevance)
    assert followed.ledger.to_rows() == full.ledger.to_rows()


def test_a_ledger_without_streams_says_how_to_get_them() -> None:
    ex = LRP(Residual(), ZERO).explain(X, 0)

    with pytest.raises(InvalidInput, match='ledger="flow"'):
        ex.ledger.flow()


def test_a_ledger_of_parts_has_no_streams() -> None:
    ex = LRP(Residual(), ZERO).explain(torch.cat([X, -X]), 0, ledger="flow", batch_size=1)

    with pytest.raises(InvalidInput, match="all samples at once"):
        ex.ledger.flow()


NETS = {"unet": UNet} | SEQUENTIAL


def followed(name: str) -> Flow:
    model = prepared(NETS[name](), 16).double()
    return LRP(model).explain(images(16).double(), highest, ledger="flow").ledger.flow()


@pytest.mark.parametrize("name", NETS)
def test_at_every_operation_what_comes_in_goes_on_or_is_lost(name: str) -> None:
    assert_balanced(followed(name))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("most", [4, 10])
def test_grouping_keeps_what_crosses_and_what_is_lost(name: str, most: int) -> None:
    whole = followed(name)
    grouped = whole.grouped(most)

    assert len(grouped.stations) <= most
    assert all(stream.above < stream.below for stream in grouped.streams)
    assert rows_in(grouped) == rows_in(whole)
    assert lost_in(grouped) == pytest.approx(lost_in(whole), abs=1e-9)
    assert grouped.stations[-1] == whole.stations[-1]
    assert Flow.of_record(grouped.record()) == grouped
    assert_balanced(grouped)


def assert_balanced(flow: Flow) -> None:
    """What streams bring is what came in; what came in goes on or is booked."""
    for k, station in enumerate(flow.stations):
        above = [each for each in flow.streams if each.below == k]
        below = [each for each in flow.streams if each.above == k]
        came, went = (sum(s.positive + s.negative for s in each) for each in (above, below))
        size = 1e-9 * max(sum(s.width for s in each) for each in (above, below))
        lost = sum(value for why, value in station.lost.items() if why != "unexplained")

        assert k == 0 or abs(came - station.received) <= size
        assert abs(went - station.passed) <= size
        assert not station.rows or abs(station.received - went - lost) <= size


def rows_in(flow: Flow) -> list[int]:
    return [row for each in flow.stations for row in each.rows]


def lost_in(flow: Flow) -> dict[str, float]:
    return {
        reason: sum(each.lost.get(reason, 0.0) for each in flow.stations)
        for reason in ("bias", "epsilon", "dropped", "softmax")
    }
