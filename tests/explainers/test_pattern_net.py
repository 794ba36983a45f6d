"""PatternNet and PatternAttribution: fitted once, bound to their weights, kept in files."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import whence
from whence.errors import InvalidInput
from whence.explainers import (
    PatternAttribution,
    PatternNet,
    Patterns,
    SmoothGrad,
    pattern_quality,
)
from whence.metrics import Batch, Case, ParameterRandomisation
from whence.targets import Each
from whence.testing._check_explainer import small_net


def net(bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 3, 3, bias=bias), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(12, 6, bias=bias), nn.ReLU(), nn.Linear(6, 3, bias=bias),
    ]  # fmt: skip
    return nn.Sequential(*layers).double().eval()


X = torch.randn(50, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("kind", [PatternNet, PatternAttribution])
def test_without_patterns_there_is_no_explanation(kind: type[PatternNet]) -> None:
    explainer = kind(net())

    assert "not fitted, two-component" in repr(explainer)
    with pytest.raises(InvalidInput, match=f"{kind.__name__} has no patterns yet: .*fit"):
        explainer.explain(X[:1])
    with pytest.raises(InvalidInput, match="no patterns yet"):
        whence.explain(net(), X[:1], method=kind.name)


def test_patterns_of_an_earlier_fit_serve_both_methods() -> None:
    model = net()
    signal = PatternNet(model, estimator="linear").fit(X)
    patterns = signal.patterns
    found = whence.explain(model, X[:2], 1, "pattern-attribution", patterns=patterns)

    assert found.method == "pattern-attribution"
    assert PatternAttribution(model, patterns).estimator == "linear"
    assert torch.equal(found.relevance, PatternAttribution(model, patterns).attribute(X[:2], 1))


def test_the_score_is_the_sum_and_what_closed_relus_drop() -> None:
    found = PatternAttribution(net()).fit(X).explain(X[:4])
    found.ledger.check()
    dropped = sum(float(row.dropped.sum()) for row in found.ledger.rows)

    assert dropped != 0
    assert float(found.relevance.sum()) + dropped == pytest.approx(float(found.score.sum()), 1e-12)


def test_without_closed_relus_the_sum_is_the_score() -> None:
    model = net()
    with torch.no_grad():
        model[0].bias += 100
        model[4].weight.abs_()
    found = PatternAttribution(model).fit(X).explain(X[:4])

    assert found.relevance.sum((1, 2, 3)).tolist() == pytest.approx(found.score.tolist(), 1e-10)


def test_relevance_that_would_fall_on_padding_is_booked() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(72, 2)).double()
    found = PatternAttribution(model.eval()).fit(X + 1).explain(X[:3])
    first = found.ledger.rows[-1]

    found.ledger.check()
    assert first.op == "conv2d"
    assert bool((first.dropped.abs() > 1e-6).all())


class Residual(nn.Module):
    """A residual sum, a batch norm of its own, a max pooling, a constant scale and a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.body = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(8, 3)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)  # type: ignore[arg-type]
        nn.init.normal_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.stem(x))
        h = h + torch.relu(self.body(h))
        h = nn.functional.max_pool2d(torch.relu(self.norm(h)), 2)
        h = torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1)
        return self.head(h) * 2.5


def test_residual_sums_norms_pooling_and_concatenation_conserve() -> None:
    found = PatternAttribution(Residual().double().eval()).fit(X).explain(X[:5])
    found.ledger.check()
    dropped = sum(float(row.dropped.sum()) for row in found.ledger.rows)

    assert float(found.relevance.sum()) + dropped == pytest.approx(float(found.score.sum()), 1e-9)


def test_the_signal_below_a_scale_is_divided_by_it() -> None:
    class Scaled(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.inner, self.scale = net(), scale

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) * self.scale

    plain, scaled = (PatternNet(Scaled(each)).fit(X).attribute(X[:3], 1) for each in (1.0, -4.0))

    assert torch.allclose(plain, scaled, rtol=1e-12)


def test_a_dense_net_without_noise_gets_its_signal_back() -> None:
    # x = a s: all that varies is the signal, so the input is the signal of what fires.
    torch.manual_seed(2)
    direction = torch.randn(5, dtype=torch.float64)
    x = torch.linspace(0.1, 2, 30, dtype=torch.float64)[:, None] * direction
    model = nn.Linear(5, 1, bias=False).double()
    found = PatternNet(model).fit(x).explain(x[:4])

    assert torch.allclose(found.relevance, x[:4], rtol=1e-10)


def test_a_relu_written_as_a_clamp_counts_as_one() -> None:
    class Clamped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.inner:
                x = x.clamp(min=0) if isinstance(layer, nn.ReLU) else layer(x)
            return x

    model = Clamped()
    found = PatternAttribution(model).fit(X).attribute(X[:3], 0)
    expected = PatternAttribution(model.inner).fit(X).attribute(X[:3], 0)

    assert torch.allclose(found, expected, rtol=1e-12)


def test_token_ids_get_one_value_each() -> None:
    torch.manual_seed(4)

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.layer = nn.Embedding(20, 8), nn.Linear(8, 8)
            self.head = nn.Linear(8, 3)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(torch.relu(self.layer(self.table(ids))).mean(1))

    ids = torch.randint(0, 20, (30, 5))
    found = PatternAttribution(Words().double().eval()).fit(ids).explain(ids[:2])

    assert found.relevance.shape == (2, 5)
    found.ledger.check()


def test_the_batch_may_be_on_another_axis() -> None:
    torch.manual_seed(5)
    dense = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    x = torch.randn(5, 9, 4, dtype=torch.float64)  # (steps, batch, features)
    told: list[int] = []
    across = PatternNet(dense, batch_axis=1).fit(x, batch_size=4, progress=told.append)
    along = PatternNet(dense).fit(x.transpose(0, 1))

    assert told == [4, 8, 9]
    assert torch.allclose(across.patterns["0"], along.patterns["0"], rtol=1e-10)


def test_many_targets_share_a_fit() -> None:
    explainer = PatternAttribution(net()).fit(X)
    found = explainer.attribute(X[:2], Each([0, 2]))

    assert torch.allclose(found[1], explainer.attribute(X[:2], 2), rtol=1e-12)


def test_the_explanation_can_be_compiled() -> None:
    explainer = PatternAttribution(net()).fit(X)
    compiled = explainer.compile(X[:2], optimise=False)

    assert torch.allclose(compiled(X[2:4], 1), explainer.attribute(X[2:4], 1), rtol=1e-10)


def test_the_table_of_rules_says_what_is_done() -> None:
    explainer = PatternAttribution(net()).fit(X)
    table = str(explainer.assignment(X[:1]))

    assert table.count(f"PatternShare(pattern={explainer.patterns})") == 3
    assert table.count("ReLUMask()") == 2


def test_the_model_is_as_before_the_fit() -> None:
    model = small_net()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    x = torch.randn(6, 2, 8, 8, dtype=torch.float64)
    kept = x.clone()
    PatternNet(model).fit(x)
    after = model.state_dict()

    assert all(torch.equal(after[name], each) for name, each in before.items())
    assert all(each.grad is None and each.requires_grad for each in model.parameters())
    assert torch.equal(x, kept)
    assert not model.training
    assert not any(each._forward_hooks for each in model.modules())


def test_another_model_is_refused_with_the_way_out() -> None:
    explainer = PatternAttribution(net()).fit(X)
    other = net()
    with torch.no_grad():
        other[0].weight.mul_(2)

    with pytest.raises(InvalidInput, match=r"needs a refit: PatternAttribution\(other\).fit"):
        explainer.on(other)
    with pytest.raises(InvalidInput, match="needs a refit"):
        SmoothGrad(explainer).on(other)


def test_a_copy_of_the_model_is_no_other_model() -> None:
    explainer = PatternAttribution(net()).fit(X)
    found = explainer.on(net()).attribute(X[:1], 0)

    assert torch.equal(found, explainer.attribute(X[:1], 0))


def test_an_explainer_without_patterns_goes_anywhere() -> None:
    moved = PatternNet(net(), estimator="linear").on(net(bias=False))

    assert isinstance(moved, PatternNet)
    assert moved.estimator == "linear"
    assert moved.patterns is None


def test_metrics_that_change_the_model_refit_through_a_function() -> None:
    model = net()
    batch, metric = Batch(model, X[:3], 0), ParameterRandomisation()
    fitted = PatternAttribution(model).fit(X)
    relevance = fitted.attribute(X[:3], 0)
    again = Case(batch, relevance, explainer=lambda other: PatternAttribution(other).fit(X))

    assert metric.measure(again).values.shape == (3,)
    with pytest.raises(InvalidInput, match="lambda model: PatternAttribution"):
        metric.measure(Case(batch, relevance, explainer=fitted))


def test_training_on_after_the_fit_is_noticed() -> None:
    model = net()
    explainer = PatternNet(model).fit(X)
    with torch.no_grad():
        model[6].bias += 1

    with pytest.raises(InvalidInput, match=r"have changed since .* Refit: PatternNet\(model\)"):
        explainer.explain(X[:1])


def test_the_same_weights_in_new_memory_are_no_change() -> None:
    model = net()
    explainer = PatternNet(model).fit(X)
    expected = explainer.attribute(X[:1], 0)
    model.load_state_dict({name: each.clone() for name, each in model.state_dict().items()})

    assert torch.equal(explainer.attribute(X[:1], 0), expected)


def test_patterns_come_back_from_their_file(tmp_path) -> None:
    model = net()
    fitted = PatternNet(model, estimator="centred").fit(X).patterns
    found = Patterns.load(fitted.save(tmp_path / "deep" / "p.safetensors"), net())

    assert (found.estimator, found.samples, found.dead) == ("centred", 50, fitted.dead)
    assert list(found.layers) == list(fitted.layers) == ["0", "4", "6"]
    assert all(torch.equal(found[name], fitted[name]) for name in fitted.layers)
    assert torch.equal(found.layers["0"].closed, fitted.layers["0"].closed)  # type: ignore[arg-type]
    assert torch.equal(
        PatternNet(model, found).attribute(X[:2], 1), PatternNet(model, fitted).attribute(X[:2], 1)
    )


def test_a_model_in_single_precision_is_the_same_model(tmp_path) -> None:
    model = net().float()
    fitted = PatternNet(model).fit(X.float()).patterns
    path = fitted.save(tmp_path / "p.safetensors")

    assert fitted["0"].dtype == torch.float32
    assert Patterns.load(path, net().float().double())["0"].dtype == torch.float64


def test_patterns_of_other_weights_are_refused(tmp_path) -> None:
    fitted = PatternNet(net()).fit(X).patterns
    path = fitted.save(tmp_path / "p.safetensors")
    other = net()
    nn.init.zeros_(other[0].weight)

    with pytest.raises(InvalidInput, match=r"values of the weights do not\. Refit"):
        Patterns.load(path, other)
    with pytest.raises(InvalidInput, match=r"0.bias has shape None here, \[3\] there"):
        Patterns.load(path, net(bias=False))
    with pytest.raises(InvalidInput, match="other ones"):
        PatternNet(other, fitted)


def test_files_of_others_are_refused(tmp_path) -> None:
    torch.save({"a": 1}, tmp_path / "pickle.safetensors")
    save_file({"a": X}, tmp_path / "plain.safetensors")

    with pytest.raises(InvalidInput, match=r"no whole \.safetensors file"):
        Patterns.load(tmp_path / "pickle.safetensors", net())
    with pytest.raises(InvalidInput, match="must hold whence patterns 1, got 'no format'"):
        Patterns.load(tmp_path / "plain.safetensors", net())
    with pytest.raises(InvalidInput, match="There is no file"):
        Patterns.load(tmp_path / "none.safetensors", net())


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [PatternNet, PatternAttribution])
def test_a_gpu_finds_the_same(kind: type[PatternNet]) -> None:
    x = X.cuda()
    explainer = kind(net().cuda()).fit(x)
    found, expected = explainer.attribute(x[:3], 1), kind(net()).fit(X).attribute(X[:3], 1)
    rho = pattern_quality(explainer.model, explainer.patterns, x, x, neurons=2).mean("filter")

    assert found.device.type == "cuda"
    assert torch.allclose(found.cpu(), expected, rtol=1e-9)
    assert list(rho) == ["0", "4", "6"]


def test_files_say_what_they_hold(tmp_path) -> None:
    fitted = PatternNet(net()).fit(X).patterns
    path = fitted.save(tmp_path / "p.safetensors")
    with safe_open(path, framework="pt") as file:
        about, names = file.metadata(), set(file.keys())

    assert names == {"signal/0", "closed/0", "signal/4", "closed/4", "signal/6"}
    assert json.loads(about["model"])["shapes"]["0.weight"] == [3, 1, 3, 3]
    with pytest.raises(InvalidInput, match=r"saved as \.safetensors"):
        fitted.save(tmp_path / "p.pt")


def test_patterns_of_a_plain_function_live_in_memory_only(tmp_path) -> None:
    weight = torch.randn(3, 36, dtype=torch.float64)
    patterns = PatternNet(lambda x: x.flatten(1) @ weight.T).fit(X).patterns

    with pytest.raises(InvalidInput, match="plain function cannot be saved"):
        patterns.save(tmp_path / "p.safetensors")


def test_a_way_that_the_fit_did_not_take_is_an_error() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) if bool(x.sum() > 0) else self.second(x)

    explainer = PatternNet(Branching()).fit(torch.rand(8, 4))

    with pytest.raises(InvalidInput, match="no pattern for linear in 'second'"):
        explainer.explain(-torch.rand(1, 4))
