"""The min-max relevance model: a small net that predicts relevance from what lies below."""

import torch
from torch import Tensor, nn


class MinMaxModel(nn.Module):
    """Predicts the relevance of a layer's neurons k from activations below and relevance above.

        y_j = max(0, sum_i x_i v_ij + a_j),   a_j = min(0, sum_l R_l v_lj + d_j)
        predicted R_k = sum of y_j over the detectors j of k

    The bias a_j is never positive and inhibits: a detector stays silent where nothing above asks
    for what it detects. So y_j is a neuron as deep Taylor decomposition has it: root points exist,
    and the rules for it conserve the prediction.

    References: [montavon2017, sec. 5.2].
    """

    def __init__(
        self, inputs: int, neurons: int, above: int, detectors: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        wide = neurons * detectors
        self.neurons = neurons

        def draw(rows: int, columns: int, size: float) -> nn.Parameter:
            found = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
            return nn.Parameter(size * found)

        # Mostly positive at first: a detector that is silent on all data would never learn.
        self.detect = draw(wide, inputs, inputs**-0.5)  # v_ij
        self.detect.data += 4 / inputs
        self.ask = draw(wide, above, 0.1)  # v_lj
        self.shift = nn.Parameter(torch.full((wide,), -0.01, dtype=torch.float64))  # d_j

    def detections(self, x: Tensor, above: Tensor) -> Tensor:
        """y, shape (batch, neurons x detectors)."""
        inhibition = (above @ self.ask.t() + self.shift).clamp(max=0)
        return (x @ self.detect.t() + inhibition).clamp(min=0)

    def forward(self, x: Tensor, above: Tensor) -> Tensor:
        """The predicted relevance, shape (batch, neurons)."""
        return self.detections(x, above).unflatten(1, (self.neurons, -1)).sum(2)

    @torch.no_grad()
    def rescale(self, relevance: float, above: float) -> None:
        """Let a model that was fitted to R / relevance and R_l / above predict R from R_l."""
        self.detect.mul_(relevance)
        self.shift.mul_(relevance)
        self.ask.mul_(relevance / above)


def fit_min_max(
    model: MinMaxModel,
    data: tuple[Tensor, Tensor, Tensor],
    *,
    steps: int,
    rate: float,
    generator: torch.Generator,
    decay: float,
    together: int = 128,
) -> None:
    """Minimise the mean squared error of the predicted relevance on (x, R above, R), by Adam.

    `decay` weighs a penalty on ||v||^2: inputs that no data light up must not keep first weights.
    """
    x, above, R = (each.detach().double() for each in data)
    sizes = [float(each.square().mean().sqrt().clamp(min=1e-300)) for each in (R, above)]
    with torch.no_grad():  # start at the right total, or most detectors die on the way down
        first = float(model(x, above / sizes[1]).mean().clamp(min=1e-300))
        model.rescale(float(R.mean().abs()) / sizes[0] / first, 1.0)
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    with torch.enable_grad():
        for step in range(steps):
            rows = torch.randint(len(x), (min(together, len(x)),), generator=generator)
            found = model(x[rows], above[rows] / sizes[1])
            loss = (found - R[rows] / sizes[0]).square().mean()
            loss = loss + decay * model.detect.square().sum() / model.neurons
            for parameter, slope in zip(
                model.parameters(), torch.autograd.grad(loss, [*model.parameters()]), strict=True
            ):
                parameter.grad = slope
            for group in adam.param_groups:
                group["lr"] = rate * (1 - step / steps)
            adam.step()
    model.rescale(sizes[0], sizes[1])
    model.requires_grad_(False)
