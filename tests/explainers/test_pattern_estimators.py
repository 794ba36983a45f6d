"""Patterns: known signals are found, whatever the layer, the split and the scale of the data."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pattern_oracle as oracle
from whence.errors import InvalidInput
from whence.explainers import PatternAttribution, PatternNet, Patterns
from whence.targets import Given


def toy(y: Tensor, noise: Tensor) -> Tensor:
    """x = a_s y + a_d eps with a_s = (1, 0), a_d = (1, 1): every y with every eps."""
    pairs = torch.cartesian_prod(y, noise)
    return torch.stack([pairs.sum(1), pairs[:, 1]], 1)


def neuron(bias: float = 0.0) -> nn.Sequential:
    """One ReLU neuron with w = (1, -1), which cancels eps and reads y."""
    net = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 1)).double().eval()
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([[1.0, -1.0]])
        net[0].bias[:] = bias
    return net


def found(estimator: str, x: Tensor, net: nn.Module | None = None) -> list[float]:
    patterns = PatternNet(net or neuron(), estimator=estimator).fit([x]).patterns
    return patterns["0"][0].tolist()


def symmetric(*nodes: float) -> Tensor:
    return torch.tensor([*nodes, *(-each for each in nodes)], dtype=torch.float64)


# Two nodes on each side with the first two moments of U(0, 1): 1/2 and 1/3 ...
UNIFORM = symmetric(0.5 - 3**0.5 / 6, 0.5 + 3**0.5 / 6)
# ... and with those of |N(0, 1)|: sqrt(2 / pi) and 1.
HALF = (2 / np.pi) ** 0.5
NORMAL = symmetric(HALF - (1 - HALF**2) ** 0.5, HALF + (1 - HALF**2) ** 0.5)
NOISE = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)  # of mean 1/2


@pytest.mark.parametrize("y", [UNIFORM, NORMAL], ids=["uniform", "normal"])
def test_the_linear_pattern_is_the_signal(y: Tensor) -> None:
    assert found("linear", toy(y, NOISE)) == pytest.approx([1, 0], abs=1e-14)


@pytest.mark.parametrize("y", [UNIFORM, NORMAL], ids=["uniform", "normal"])
def test_the_centred_pattern_is_the_signal(y: Tensor) -> None:
    assert found("centred", toy(y, NOISE)) == pytest.approx([1, 0], abs=1e-14)


def test_a_distractor_of_mean_one_half_shifts_the_two_component_pattern_of_uniform_y() -> None:
    # 1 + 1/2 E+[y] / E+[y^2] = 1 + 1/2 1/2 / (1/3)
    assert found("two-component", toy(UNIFORM, NOISE)) == pytest.approx([1.75, 0.75], abs=1e-13)


def test_a_distractor_of_mean_one_half_shifts_the_two_component_pattern_of_normal_y() -> None:
    expected = [1 + HALF / 2, HALF / 2]  # 1.40, 0.40

    assert found("two-component", toy(NORMAL, NOISE)) == pytest.approx(expected, abs=1e-13)


def test_a_distractor_of_mean_zero_does_not_shift_it() -> None:
    x = toy(UNIFORM, NOISE - 0.5)

    assert found("two-component", x) == pytest.approx([1, 0], abs=1e-14)


def test_large_samples_come_close_to_the_population() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.rand(20_000, generator=generator, dtype=torch.float64) * 2 - 1
    noise = torch.rand(20_000, generator=generator, dtype=torch.float64)
    x = torch.stack([y + noise, noise], 1)

    assert found("two-component", x) == pytest.approx([1.75, 0.75], abs=0.02)
    assert found("linear", x) == pytest.approx([1, 0], abs=0.02)


def test_by_hand_with_a_mean_of_y_that_is_not_zero() -> None:
    # y = 2, 1, -1 without noise: x = (y + 1, 1), E[y] = 2/3, E+[y] = 3/2, E+[y^2] = 5/2.
    # E+[x y] - E+[x] E[y] = (4 - 5/3, 3/2 - 2/3) = (7/3, 5/6), w^T of it 3/2.
    x = torch.tensor([[3.0, 1.0], [2.0, 1.0], [0.0, 1.0]], dtype=torch.float64)

    assert found("two-component", x) == pytest.approx([14 / 9, 5 / 9], abs=1e-14)
    assert found("centred", x) == pytest.approx([1, 0], abs=1e-14)


def test_the_bias_takes_no_part() -> None:
    x = toy(UNIFORM, NOISE)

    assert found("two-component", x, neuron(bias=0.7)) == found("two-component", x)


def test_layers_that_no_relu_reads_get_the_linear_pattern() -> None:
    net, x = neuron(), toy(UNIFORM, NOISE)
    net[1] = nn.Tanh()

    assert found("two-component", x, net) == pytest.approx([1, 0], abs=1e-14)


CONV = [
    {"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
    {"stride": 2, "padding": 1, "dilation": 1, "groups": 1},
    {"stride": 1, "padding": 2, "dilation": 2, "groups": 2},
    {"stride": 1, "padding": 1, "dilation": 1, "groups": 4},
]


def pair(options: dict, seed: int = 0) -> tuple[nn.Sequential, list[dict], Tensor]:
    """A net of two convolutions and a dense layer, for torch and for the oracle, and data."""
    torch.manual_seed(seed)
    conv = nn.Conv2d(4, 4, (3, 2), **options)
    second = nn.Conv2d(4, 3, 2)
    body = [conv, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.Flatten()]
    x = torch.randn(7, 4, *SIZES[options["stride"], options["padding"]], dtype=torch.float64) + 0.3
    features = nn.Sequential(*body).double()(x[:1]).shape[1]
    net = nn.Sequential(*body, nn.Linear(features, 3)).double().eval()
    plain = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "gated": True}
    theirs = [
        {"kind": "conv", "gated": True, **_weights(conv), **options},
        {"kind": "relu"},
        {"kind": "max"},
        {"kind": "conv", **_weights(second), **plain},
        {"kind": "relu"},
        {"kind": "flatten"},
        {"kind": "dense", "gated": False, **_weights(net[6])},
    ]
    return net, theirs, x


SIZES = {(1, 0): (8, 7), (2, 1): (11, 10), (1, 2): (6, 6), (1, 1): (6, 5)}


def _weights(layer: nn.Module) -> dict:
    return {"W": layer.weight.detach().numpy(), "b": layer.bias.detach().numpy()}  # type: ignore[union-attr]


@pytest.mark.parametrize("estimator", ["linear", "two-component", "centred"])
@pytest.mark.parametrize("options", CONV, ids=repr)
def test_patterns_equal_the_slow_estimates(options: dict, estimator: str) -> None:
    net, theirs, x = pair(options)
    patterns = PatternNet(net, estimator=estimator).fit(x, batch_size=3).patterns
    expected = {n: oracle.pattern(theirs, n, x.numpy(), estimator) for n in (0, 3, 6)}

    for_each = [patterns[str(n)].flatten(1).numpy() - expected[n] for n in (0, 3, 6)]
    np.testing.assert_allclose(np.concatenate([each.ravel() for each in for_each]), 0, atol=1e-10)


@pytest.mark.parametrize("attribute", [False, True])
@pytest.mark.parametrize("options", CONV, ids=repr)
def test_the_way_back_equals_the_slow_one(options: dict, attribute: bool) -> None:
    net, theirs, x = pair(options)
    kind = PatternAttribution if attribute else PatternNet
    relevance = kind(net).fit(x).explain(x[:2], 1).relevance.numpy()
    patterns = {n: oracle.pattern(theirs, n, x.numpy(), "two-component") for n in (0, 3, 6)}
    expected = [oracle.back(theirs, patterns, each, 1, attribute) for each in x[:2].numpy()]

    np.testing.assert_allclose(relevance, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("size", [1, 2, 5, 7])
def test_however_the_data_are_cut_the_patterns_are_the_same(size: int) -> None:
    net, _, x = pair(CONV[1])
    x = x * 1e-3 + 1e2  # far from zero: differences of mean squares would lose ten digits
    whole, cut = (PatternNet(net).fit(x, batch_size=n).patterns for n in (7, size))

    for_each = [float((whole[n] - cut[n]).abs().max() / whole[n].abs().max()) for n in "036"]
    assert max(for_each) < 1e-9


def test_batches_may_be_of_any_kind_and_order() -> None:
    net, _, x = pair(CONV[0])
    labels = torch.zeros(7)
    expected = PatternNet(net).fit(x).patterns
    sets = torch.utils.data.TensorDataset(x, labels)
    loader = torch.utils.data.DataLoader(sets, batch_size=2)
    given = [list(x.split(3)), [(x[:4], labels), (x[4:], labels)], loader, iter([x[4:], x[:4]])]
    fitted = [PatternNet(net).fit(each).patterns for each in given]

    close = [torch.allclose(each["0"], expected["0"], rtol=1e-9) for each in fitted]
    assert close == [True] * 4


def test_progress_is_told_how_many_samples_are_done() -> None:
    net, _, x = pair(CONV[0])
    told: list[int] = []
    PatternNet(net).fit(x, batch_size=3, progress=told.append)

    assert told == [3, 6, 7]


def test_progress_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    net, _, x = pair(CONV[0])
    PatternNet(net).fit(x, progress=True)

    assert "estimating patterns" in capsys.readouterr().err


def test_each_neuron_reads_its_own_pattern_as_one() -> None:
    net, _, x = pair(CONV[3])
    patterns = PatternNet(net).fit(x).patterns
    sums = [(net[n].weight * patterns[str(n)]).flatten(1).sum(1) for n in (0, 3, 6)]

    assert torch.cat(sums).tolist() == pytest.approx([1.0] * 10, abs=1e-12)


def test_neurons_that_never_fire_have_no_pattern_and_are_reported() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)).double().eval()
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([[1.0, 0.0], [-1.0, -1.0], [0.0, 0.0]])
        net[0].bias[:] = 1.0
    x = torch.rand(9, 2, dtype=torch.float64)
    explainer = PatternAttribution(net).fit(x)
    patterns = explainer.patterns
    explained = explainer.explain(x[:1], 0)

    assert patterns.dead == {"0": 2}
    assert patterns["0"][1:].tolist() == [[0, 0], [0, 0]]
    assert explained.notes == ["0: 2 neurons never fire on the data; their pattern is zero."]
    explained.ledger.check()


def test_data_that_never_vary_have_no_pattern() -> None:
    net = neuron()
    patterns = PatternNet(net, estimator="linear").fit(torch.full((5, 2), 0.3).double()).patterns

    assert patterns.dead == {"0": 1, "2": 1}


class Reused(nn.Module):
    """The same layer twice, a functional layer, a product with a matrix, and a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Linear(4, 4)
        self.free = nn.Parameter(torch.randn(4, 4))
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.same(x))
        h = h + torch.relu(self.same(h))
        once = nn.functional.linear(h, self.free, None).clamp(min=0)
        again = torch.relu(h @ self.free)
        return self.head(torch.cat([once, again], 1))


def test_each_use_of_a_layer_has_its_own_pattern() -> None:
    net = Reused().double().eval()
    x = torch.randn(40, 4, dtype=torch.float64)
    patterns = PatternNet(net).fit(x).patterns
    h = torch.relu(net.same(x)).detach()
    alone = nn.Sequential(net.same, nn.ReLU())
    second = PatternNet(alone).fit(h).patterns

    assert list(patterns.layers) == [
        "same",
        "same@1",
        "forward+",
        "forward",
        "forward#1",
        "head",
    ]
    assert torch.allclose(patterns["same@1"], second["0"], rtol=1e-10)
    assert not torch.allclose(patterns["same@1"], patterns["same"])


def test_a_product_with_a_matrix_is_a_dense_layer() -> None:
    net = Reused().double().eval()
    x = torch.randn(40, 4, dtype=torch.float64)
    patterns = PatternNet(net).fit(x).patterns
    h = torch.relu(net.same(x)).detach()
    h = h + torch.relu(net.same(h)).detach()
    dense = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU()).double()
    dense[0].weight = nn.Parameter(net.free.detach().T.contiguous())
    expected = PatternNet(dense).fit(h).patterns

    assert torch.allclose(patterns["forward#1"].T, expected["0"], rtol=1e-10)


def test_a_joined_batch_norm_belongs_to_the_layer() -> None:
    torch.manual_seed(3)
    conv, norm = nn.Conv2d(2, 3, 2, bias=False), nn.BatchNorm2d(3)
    nn.init.uniform_(norm.running_var, 0.5, 2)  # type: ignore[arg-type]
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    joined = nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).double().eval()
    x = torch.rand(20, 2, 3, 3, dtype=torch.float64)
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()  # type: ignore[operator]
    plain = nn.Conv2d(2, 3, 2, bias=False).double()
    plain.weight = nn.Parameter(conv.weight.detach() * scale[:, None, None, None])
    expected = PatternNet(nn.Sequential(plain, nn.ReLU()).eval()).fit(x).patterns
    patterns = PatternNet(joined).fit(x).patterns

    assert torch.allclose(patterns["0"], expected["0"], rtol=1e-10)


def sum_and_mirror(x: Tensor) -> Tensor:
    """Each value with twice its neighbour, then a ReLU."""
    return torch.relu(x + 2 * x.flip(1))


# u = x, v = 2 flip(x); y = (1, 2), (2, 1), (-3, -3), so E[y] = 0. In both columns
# E+[u y] = 1/2 and E+[v y] = 2: a = (1/5, 4/5).
TRIPLE = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)


def test_a_sum_of_branches_has_patterns_by_hand() -> None:
    patterns = PatternNet(sum_and_mirror).fit(TRIPLE).patterns

    assert list(patterns.layers) == ["forward+"]
    assert patterns["forward+"].flatten().tolist() == pytest.approx([0.2, 0.8, 0.2, 0.8])


def test_a_sum_shares_by_its_patterns() -> None:
    R = Given(torch.tensor([[10.0, 0.0]], dtype=torch.float64))
    relevance = PatternAttribution(sum_and_mirror).fit(TRIPLE).attribute(TRIPLE[:1], R)
    signal = PatternNet(sum_and_mirror).fit(TRIPLE).attribute(TRIPLE[:1], R)

    assert relevance[0].tolist() == pytest.approx([2, 8])
    assert signal[0].tolist() == pytest.approx([2, 4])  # below the factor of two: 8 / 2


def test_what_is_subtracted_has_a_signal_of_the_other_sign() -> None:
    # y = x0 - x1 = 2, 2, -4; u = 2, 1, -1 and v = 0, 1, -3: E+[u y] = 3, E+[v y] = 1
    def less(x: Tensor) -> Tensor:
        return torch.relu(x[:, :1] - x[:, 1:])

    x = torch.tensor([[2.0, 0.0], [1.0, -1.0], [-1.0, 3.0]], dtype=torch.float64)
    R = Given(torch.tensor([[8.0]], dtype=torch.float64))

    assert PatternAttribution(less).fit(x).attribute(x[:1], R)[0].tolist() == pytest.approx([6, 2])
    assert PatternNet(less).fit(x).attribute(x[:1], R)[0].tolist() == pytest.approx([6, -2])


@pytest.mark.parametrize(
    ("shape", "kept"),
    [((6, 3, 4, 2), (0, 2, 3)), ((6, 3, 4), (0, 1, 2)), ((6, 3), (0,))],
    ids=["channels of pictures", "all together", "features of rows"],
)
def test_sums_share_statistics_over_places(shape: tuple[int, ...], kept: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    patterns = PatternNet(lambda x: x + x.abs().sqrt()).fit(x, batch_size=4).patterns
    u, y = x.numpy(), (x + x.abs().sqrt()).numpy()
    covariance = (u * y).mean(kept) - u.mean(kept) * y.mean(kept)
    expected = covariance / y.var(kept)

    np.testing.assert_allclose(patterns["forward+"][:, 0], np.ravel(expected), rtol=1e-10)
    np.testing.assert_allclose(patterns["forward+"].sum(1), 1, rtol=1e-12)


def test_a_sum_of_other_width_than_fitted_is_refused() -> None:
    explainer = PatternNet(sum_and_mirror).fit(TRIPLE)

    with pytest.raises(InvalidInput, match="has 3 channels, its pattern 2"):
        explainer.explain(torch.ones(1, 3, dtype=torch.float64))


REFUSED = {
    "recurrent": (nn.LSTM(4, 3), torch.randn(2, 5, 4), "recurrent"),
    "transposed": (nn.ConvTranspose1d(2, 3, 2), torch.randn(2, 2, 5), "none of them"),
    "bilinear": (lambda x: torch.einsum("bi,ij->bj", x, torch.eye(4)), torch.rand(2, 4), "none of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_layers_without_patterns_are_refused(name: str) -> None:
    net, x, message = REFUSED[name]

    with pytest.raises(InvalidInput, match=message):
        PatternNet(net).fit(x)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "need data"),
        (7, "a tensor of inputs or an iterable"),
        ({"x": torch.zeros(2, 2)}, "a tensor of inputs or an iterable"),
    ],
)
def test_no_data_are_refused(data: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        PatternNet(neuron()).fit(data)


def test_an_unknown_estimator_is_refused() -> None:
    with pytest.raises(InvalidInput, match="estimator= must be one of two-component"):
        PatternNet(neuron(), estimator="best")


def test_a_model_that_takes_another_way_is_refused() -> None:
    def winding(x: Tensor) -> Tensor:
        y = nn.functional.linear(x, torch.ones(2, 2))
        return torch.relu(y) if bool(x.sum() > 0) else y

    with pytest.raises(InvalidInput, match="other ways with other data"):
        PatternNet(winding).fit(torch.tensor([[1.0, 2.0], [-1.0, -2.0]]), batch_size=1)


def test_there_is_no_pattern_of_another_name() -> None:
    patterns = PatternNet(neuron()).fit(toy(UNIFORM, NOISE)).patterns

    assert isinstance(patterns, Patterns)
    with pytest.raises(InvalidInput, match="No pattern 'first'; there are 0, 2"):
        patterns["first"]
