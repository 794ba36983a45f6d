"""State-space layers: the scan's parameters are held, so that the scan is a linear filter."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import rand
from whence.composites import MambaLRP, where
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.targets import Weights

WIDTH, STATES, TOKENS = 6, 3, 5
X = rand(2, TOKENS, 4)


class SlowMamba(nn.Module):
    """Mamba, token after token: delta, B and C from a map of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.in_proj = nn.Linear(4, 2 * WIDTH, bias=False)
        self.conv1d = nn.Conv1d(WIDTH, WIDTH, 3, padding=2, groups=WIDTH)
        self.x_proj = nn.Linear(WIDTH, 2 + 2 * STATES, bias=False)
        self.dt_proj = nn.Linear(2, WIDTH)
        self.A_log = nn.Parameter(rand(WIDTH, STATES, seed=5))
        self.D = nn.Parameter(rand(WIDTH, seed=6))
        self.out_proj = nn.Linear(WIDTH, 3, bias=False)
        self.double()
        for number, each in enumerate(self.parameters()):
            each.data = rand(*each.shape, seed=number) / max(1, each.shape[-1]) ** 0.5

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        signal, gate = self.in_proj(x).chunk(2, -1)
        signal = F.silu(self.conv1d(signal.mT)[..., :TOKENS]).mT
        step, B, C = torch.split(self.x_proj(signal), [2, STATES, STATES], -1)
        return signal, gate, F.softplus(self.dt_proj(step)), B, C

    def forward(self, x: Tensor) -> Tensor:
        signal, gate, delta, B, C = self.parts(x)
        A = -torch.exp(self.A_log)
        h, outputs = torch.zeros(len(x), WIDTH, STATES, dtype=x.dtype), []
        for t in range(TOKENS):
            drive = delta[:, t, :, None] * B[:, t, None] * signal[:, t, :, None]
            h = torch.exp(delta[:, t, :, None] * A) * h + drive
            outputs.append((h @ C[:, t, :, None])[..., 0])
        y = torch.stack(outputs, 1) + signal * self.D
        return self.out_proj(y * F.silu(gate))[:, -1]


class SlowMamba2(nn.Module):
    """Mamba-2, token after token: one decay for each head; x, B and C from one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.in_proj = nn.Linear(4, 2 * WIDTH + 2 * STATES + 2, bias=False)
        self.conv1d = nn.Conv1d(
            WIDTH + 2 * STATES, WIDTH + 2 * STATES, 3, padding=2, groups=WIDTH + 2 * STATES
        )
        self.dt_bias = nn.Parameter(torch.zeros(2))
        self.A_log = nn.Parameter(torch.zeros(2))
        self.D = nn.Parameter(torch.zeros(2))
        self.out_proj = nn.Linear(WIDTH, 3, bias=False)
        self.double()
        for number, each in enumerate(self.parameters()):
            each.data = rand(*each.shape, seed=number) / max(1, each.shape[-1]) ** 0.5

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        sizes = [WIDTH, WIDTH + 2 * STATES, 2]
        gate, mixed, step = self.in_proj(x).split(sizes, -1)
        mixed = F.silu(self.conv1d(mixed.mT)[..., :TOKENS]).mT
        signal, B, C = torch.split(mixed, [WIDTH, STATES, STATES], -1)
        delta = F.softplus(step + self.dt_bias)
        return signal.unflatten(-1, (2, WIDTH // 2)), gate, delta, B, C

    def forward(self, x: Tensor) -> Tensor:
        signal, gate, delta, B, C = self.parts(x)
        A = -torch.exp(self.A_log)
        h, outputs = torch.zeros(len(x), 2, WIDTH // 2, STATES, dtype=x.dtype), []
        for t in range(TOKENS):
            drive = (delta[:, t, :, None] * signal[:, t])[..., None] * B[:, t, None, None]
            h = torch.exp(delta[:, t] * A)[..., None, None] * h + drive
            outputs.append((h * C[:, t, None, None]).sum(-1))
        y = torch.stack(outputs, 1) + signal * self.D[:, None]
        return self.out_proj(y.flatten(2) * F.silu(gate))[:, -1]


def _oracle(model: SlowMamba | SlowMamba2, target: Weights) -> Tensor:
    """The scan written out as one sum over earlier tokens, its parameters constants:

    y_t = sum_s C_t (prod_{s < r <= t} exp(delta_r A)) delta_s B_s x_s + D x_t, and relevance as
    gradient times input of the net in which SiLU is a constant factor and a gate half a constant.
    """
    x = X.clone().requires_grad_()
    signal, gate, delta, B, C = _parts(model, x)
    A, D = -torch.exp(model.A_log), model.D
    if isinstance(model, SlowMamba2):  # one head's numbers for all of its channels
        signal, delta = signal.flatten(2), delta.repeat_interleave(WIDTH // 2, -1)
        A = A.repeat_interleave(WIDTH // 2)[:, None].expand(WIDTH, STATES)
        D = D.repeat_interleave(WIDTH // 2)
    decay = torch.exp(delta[..., None] * A)  # (batch, tokens, width, states)
    terms = [
        C[:, -1, None] * decay[:, s + 1 :].prod(1) * (delta[:, s, :, None] * B[:, s, None])
        * signal[:, s, :, None]
        for s in range(TOKENS)
    ]  # fmt: skip
    y = torch.stack(terms).sum((0, -1)) + signal[:, -1] * D
    opened = gate[:, -1] * torch.sigmoid(gate[:, -1]).detach()
    half = (y * opened) / 2 + (y * opened).detach() / 2
    output = model.out_proj(half)
    assert torch.allclose(output, model(X), atol=1e-12)
    return torch.autograd.grad((output * target.weights).sum(), x)[0] * X


def _parts(model: SlowMamba | SlowMamba2, x: Tensor) -> tuple[Tensor, ...]:
    """The scan's signal and gate with SiLU as a constant factor; delta, B and C detached."""
    with torch.no_grad():
        *_, delta, B, C = model.parts(x)
    if isinstance(model, SlowMamba):
        signal, gate = model.in_proj(x).chunk(2, -1)
        return _silu(model, signal), gate, delta, B, C
    gate, mixed, _ = model.in_proj(x).split([WIDTH, WIDTH + 2 * STATES, 2], -1)
    signal = _silu(model, mixed)[..., :WIDTH].unflatten(-1, (2, WIDTH // 2))
    return signal, gate, delta, B, C


def _silu(model: SlowMamba | SlowMamba2, signal: Tensor) -> Tensor:
    mixed = model.conv1d(signal.mT)[..., :TOKENS].mT
    return mixed * torch.sigmoid(mixed).detach()


TARGET = Weights(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))


def test_the_scan_of_mamba_is_a_filter_with_held_parameters() -> None:
    model = SlowMamba()
    ex = LRP(model, MambaLRP()).explain(X, TARGET, ledger="full")

    torch.testing.assert_close(ex.relevance, _oracle(model, TARGET), rtol=1e-10, atol=1e-12)
    ex.ledger.check()


def test_the_scan_of_mamba_2_is_a_filter_with_held_parameters() -> None:
    model = SlowMamba2()
    ex = LRP(model, MambaLRP()).explain(X, TARGET, ledger="full")

    torch.testing.assert_close(ex.relevance, _oracle(model, TARGET), rtol=1e-10, atol=1e-12)
    ex.ledger.check()


def test_without_biases_all_relevance_arrives_at_the_inputs() -> None:
    model = SlowMamba()
    assert model.conv1d.bias is not None
    model.conv1d.bias.data.zero_()
    ex = LRP(model, MambaLRP()).explain(X, TARGET)

    torch.testing.assert_close(ex.relevance.sum((1, 2)), ex.score, rtol=1e-12, atol=1e-12)


def test_a_net_with_a_scan_is_explained_by_mamba_lrp_without_being_told() -> None:
    model = SlowMamba()
    ex = LRP(model).explain(X, TARGET)

    assert torch.equal(ex.relevance, LRP(model, MambaLRP()).explain(X, TARGET).relevance)


def test_the_held_operations_are_shown() -> None:
    shown = str(LRP(SlowMamba(), MambaLRP()).assignment(X, TARGET))

    assert "Hold(outputs=None)" in shown
    assert "(held)" in shown


def test_a_layer_without_the_scan_s_parameters_is_left_alone() -> None:
    composite = MambaLRP()
    model = nn.Sequential(nn.Linear(4, 6).double(), nn.Softplus(), nn.Linear(6, 3).double())

    assert "Hold" not in str(LRP(model, composite).assignment(X, TARGET))


def test_an_owner_of_nothing_is_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"at least one name.*Try where.owner"):
        where.owner()


def test_selectors_by_owner_and_maker_print_as_the_code_that_builds_them() -> None:
    assert repr(where.owner("A_log", "D")) == "where.owner('A_log', 'D')"
    assert repr(where.made_by("conv1d")) == "where.made_by('conv1d')"
