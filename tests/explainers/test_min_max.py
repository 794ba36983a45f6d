"""The learned min-max relevance model: its equations, what it learns, what it conserves."""

import pytest
import torch
from torch import Tensor, nn

from whence import targets, zoo
from whence.errors import InvalidInput
from whence.explainers import DeepTaylor, MinMaxDeepTaylor
from whence.explainers._min_max_model import MinMaxModel, fit_min_max
from whence.testing import untouched

f64 = torch.float64


def _net() -> nn.Sequential:
    torch.manual_seed(3)
    layers = [nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)]
    net = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        net[4].weight.abs_()  # positive scores of neurons that are on, as the theory has them
        net[0].bias.fill_(0.3)
        net[2].bias.fill_(0.3)
    return net


def _method(net: nn.Module, *box: float, **options) -> MinMaxDeepTaylor:
    torch.manual_seed(0)
    method = MinMaxDeepTaylor(net, "1", *box, **{"steps": 30, **options})
    return method.fit(torch.rand(40, 5, dtype=f64))


def _written_out(model: MinMaxModel, x: Tensor, above: Tensor, detectors: int) -> Tensor:
    """The equations with loops."""
    R = torch.zeros(len(x), model.neurons, dtype=f64)
    for n in range(len(x)):
        for j in range(model.neurons * detectors):
            a = min(0.0, float(above[n] @ model.ask[j] + model.shift[j]))
            R[n, j // detectors] += max(0.0, float(x[n] @ model.detect[j]) + a)
    return R


def test_the_model_is_its_equations() -> None:
    model = MinMaxModel(5, 3, 2, 4, torch.Generator().manual_seed(1)).requires_grad_(False)
    x, above = torch.randn(7, 5, dtype=f64), torch.randn(7, 2, dtype=f64)

    torch.testing.assert_close(model(x, above), _written_out(model, x, above, 4))
    assert bool(model(x, above).any())


def test_a_model_that_could_have_made_the_relevance_learns_it() -> None:
    true = MinMaxModel(4, 2, 3, 1, torch.Generator().manual_seed(5))
    x, above = torch.rand(300, 4, dtype=f64), torch.rand(300, 3, dtype=f64)
    R = 50 * true(x, above).detach()
    model = MinMaxModel(4, 2, 3, 2, torch.Generator().manual_seed(6))
    generator = torch.Generator().manual_seed(7)
    seen = (x[:200], above[:200], R[:200])
    fit_min_max(model, seen, steps=400, rate=0.02, decay=0.0, generator=generator)
    error = (model(x[200:], above[200:]) - R[200:]).square().sum()

    assert float(error / (R[200:] - R[200:].mean(0)).square().sum()) < 0.05


def test_an_input_that_is_always_zero_gets_nothing() -> None:
    x = torch.rand(40, 5, dtype=f64)
    x[:, 2] = 0
    method = MinMaxDeepTaylor(_net(), "1", 0.0, 1.0, steps=800).fit(x, 0)
    found = method.explain(x, 0).relevance

    assert bool(method.explain(x, 0).facts["given"].all())
    assert float(found[:, 2].sum()) < 1e-3 * float(found.sum())


def test_an_inhibited_detector_passes_nothing() -> None:
    model = MinMaxModel(3, 1, 1, 1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.detect.fill_(1.0)
        model.ask.fill_(1.0)
        model.shift.fill_(-2.0)
    x = torch.full((3, 3), 0.5, dtype=f64)
    above = torch.tensor([[0.0], [1.0], [9.0]], dtype=f64)  # asks for -2, -1 and 0

    assert model(x, above).flatten().tolist() == [0.0, 0.5, 1.5]


@pytest.mark.parametrize("box", [(), (0.0, 1.0)], ids=["w2", "z-box"])
def test_relevance_is_positive_and_sums_to_the_prediction(box) -> None:
    net, x = _net(), torch.rand(8, 5, dtype=f64)
    method = _method(net, *box)
    found = method.explain(x, 1)
    R = DeepTaylor(net).explain(x, 1, taps=["1"]).at("1")
    above = torch.zeros(8, 2, dtype=f64).index_fill(1, torch.tensor(1), 1) * net(x)
    predicted = method.learned(x, above.detach())

    assert float(found.relevance.min()) >= 0
    assert float(found.relevance.sum(1).min()) > 0
    torch.testing.assert_close(found.relevance.sum(1), predicted.sum(1))
    torch.testing.assert_close(found.facts["predicted"], predicted.sum(1))
    torch.testing.assert_close(found.facts["given"], R.sum(1))
    assert "it misses the relevance at '1' by" in found.notes[-1]


def test_a_detection_is_shared_by_squared_weights_without_a_box() -> None:
    method, x = _method(_net()), torch.rand(3, 5, dtype=f64)
    above = torch.zeros(3, 2, dtype=f64)
    above[:, 0] = _net()(x)[:, 0].detach()
    y, square = method.learned.detections(x, above), method.learned.detect.square()
    expected = y @ (square / square.sum(1, keepdim=True))

    assert bool(expected.any())
    torch.testing.assert_close(method.explain(x, 0).relevance, expected)


def test_quality_is_the_explained_share_of_the_variance() -> None:
    method, x = _method(_net()), torch.rand(20, 5, dtype=f64)
    found = DeepTaylor(_net()).explain(x, 0, taps=["1"])
    above = found.output * torch.tensor([1.0, 0.0])
    R = found.at("1")
    error = (R - method.learned(x, above)).square().sum()

    assert method.quality(x, 0) == pytest.approx(
        1 - float(error / (R - R.mean(0)).square().sum()), rel=1e-9
    )


def test_relevance_of_a_trained_net_is_predicted_on_digits_it_has_not_seen() -> None:
    net = zoo.model("digits-mlp")
    training, test = (zoo.dataset("digits", split=each) for each in ("train", "test"))
    pictures = [net.preprocess(training[k].image[None]) for k in range(400)]
    unseen = torch.cat([net.preprocess(test[k].image[None]) for k in range(100)])
    method = MinMaxDeepTaylor(net.module, "layers.2", 0.0, 1.0, detectors=2, steps=250)
    method.fit(torch.cat(pictures))

    assert method.quality(unseen) > 0.5  # the mean of each neuron would give 0
    assert float(method.explain(unseen[:4]).relevance.min()) >= 0


def test_another_model_is_learned_anew_from_the_same_data() -> None:
    one, other, x = _net(), _net(), torch.rand(3, 5, dtype=f64)
    with torch.no_grad():
        other[4].weight.copy_(other[4].weight.flip(1))
    method = _method(one)
    before = method.explain(x, 0).relevance
    moved = method.on(other).explain(x, 0).relevance

    assert torch.equal(moved, _method(other).explain(x, 0).relevance)
    assert torch.equal(method.explain(x, 0).relevance, before)
    assert not torch.equal(moved, before)


def test_many_targets_get_a_leading_axis() -> None:
    method, x = _method(_net()), torch.rand(3, 5, dtype=f64)

    assert torch.equal(
        method.explain(x, targets.Each([0, 1])).relevance[1], method.explain(x, 1).relevance
    )


def test_relevance_above_may_be_that_of_a_hidden_layer() -> None:
    net, x = _net(), torch.rand(4, 5, dtype=f64)
    method = _method(net, above="3")
    found = DeepTaylor(net).explain(x, 1, taps=["3"])
    predicted = method.learned(x, found.at("3")).sum(1)

    torch.testing.assert_close(method.explain(x, 1).facts["predicted"], predicted)


def test_the_model_is_left_alone_while_its_relevance_is_learned() -> None:
    net, x = _net(), torch.rand(40, 5, dtype=f64)

    with untouched(net, x):
        MinMaxDeepTaylor(net, "1", steps=5).fit(x).explain(x[:2])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda net, x: MinMaxDeepTaylor(net, "1").explain(x), "Call .fit.training_inputs."),
        (lambda net, x: MinMaxDeepTaylor(net, "1").fit(x, torch.zeros(2)), "no relevance at '1'"),
        (lambda net, x: MinMaxDeepTaylor(net, "1", detectors=0), "detectors >= 1"),
        (lambda net, x: MinMaxDeepTaylor(net, "nine").fit(x), "No module 'nine'"),
        (lambda net, x: MinMaxDeepTaylor(net, "1").fit(x.long()), "one tensor of numbers"),
    ],
)
def test_wrong_questions_are_answered_in_words(ask, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ask(_net(), torch.rand(4, 5, dtype=f64))
