"""The extreme case of a regression: for which input is the prediction largest?

    python examples/extreme_case.py            # needs scikit-learn, for its 442 patients
    python examples/extreme_case.py --quick

First a function whose maximum is known, in three limits: none, a box that leaves its top outside,
and a penalty. Then a small net that predicts how far diabetes has gone after a year (25 to 346)
from ten measurements: who is the worst patient the net can imagine, and is that a patient at all?

Fixed before anything was seen: a hidden layer of 16 units with tanh, trained on 221 patients until
the error on 111 others was least; 110 held out. Three searches from the mean patient, the sex held
at each of its two values: (1) every measurement within what occurs, a box; (2) the same, and
together no less likely than all but 5 % of the patients, under one Gaussian; (3) the same under a
mixture of four. The last two are walls, not pulls: what is likely enough costs nothing.

Beside each prototype stands how far the nearest patient is, in units of the typical distance
between a patient and the nearest other, and what share of the patients is less likely than it under
the one Gaussian. The last column was added after a first look: total cholesterol (s1) less its
parts LDL (s2) and HDL (s3), which cannot be below zero.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

import whence
from whence import viz
from whence.prototypes import L2, Mixture, Output, Prior

LIKELY = 0.05  # the share of patients that are less likely than a prototype may be
WALL = 10.0  # per squared unit of log density, against predictions in standard deviations
SEX = 1  # the column


class Typical(Prior):
    """At least as likely as a level: log p(x) = -wall max(0, level - log q(x))^2.

    `expert` is anything with a differentiable `log_prob`, such as torch's own distributions.
    """

    def __init__(self, expert: Any, level: float, wall: float = WALL) -> None:
        self.expert, self.level, self.wall = expert, level, wall

    def log_density(self, x: Tensor) -> Tensor:
        """(batch, features) to (batch,)."""
        return -self.wall * (self.level - self.expert.log_prob(x)).relu().square()


class Hill(nn.Module):
    """3 - sum_i c_i (x_i - a_i)^2; its top is at a."""

    a: Tensor
    c: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("a", torch.tensor([0.5, -1.5], dtype=torch.float64))
        self.register_buffer("c", torch.tensor([1.0, 2.0], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return 3 - ((x - self.a).square() * self.c).sum(1, keepdim=True)


def prediction(output: Tensor) -> Tensor:
    """What is to be large, (batch,)."""
    return output[:, 0]


def climb_the_hill(console: Console) -> dict[str, Any]:
    """Found beside known maxima: with a penalty |x|^2, c (a - x) = x holds at the top."""
    hill = Hill()
    start = torch.zeros(1, 2, dtype=torch.float64)
    known = {
        "no limits": hill.a,
        "box -1..1": hill.a.clamp(-1, 1),
        "penalty |x|^2": hill.c * hill.a / (hill.c + 1),
    }
    limits = {
        "no limits": {},
        "box -1..1": {"box": (-1.0, 1.0)},
        "penalty |x|^2": {"prior": L2(1.0)},
    }
    rows, kept = [], {}
    for name, options in limits.items():
        found = whence.maximize(
            hill, Output(prediction), start=start, rate=0.2, steps=200, schedule="cosine", **options
        )
        error = float((found.inputs[0] - known[name]).abs().max())
        shown = [
            " ".join(f"{each:.4f}" for each in x.tolist()) for x in (found.inputs[0], known[name])
        ]
        rows.append([name, *shown, f"{error:.1e}"])
        kept[name] = {"found": found.inputs[0].tolist(), "known": known[name].tolist()}
    console.print(viz.table(["limits", "found", "known", "error"], rows, title="A known maximum"))
    return kept


@dataclass(frozen=True, eq=False)
class Patients:
    """Measurements in standard deviations from the mean, and what came of them, likewise.

    names: of the measurements. x, y: for training. held_x, held_y: held out. scale: mean and
    standard deviation of each measurement, and of the outcome.
    """

    names: tuple[str, ...]
    x: Tensor
    y: Tensor
    held_x: Tensor
    held_y: Tensor
    scale: tuple[Tensor, Tensor, float, float]

    def plain(self, x: Tensor) -> Tensor:
        """Measurements in their own units."""
        return x * self.scale[1] + self.scale[0]

    def outcome(self, y: Tensor) -> Tensor:
        """Outcomes in their own units."""
        return y * self.scale[3] + self.scale[2]


def read_patients() -> Patients:
    """scikit-learn's diabetes data, every fourth patient held out."""
    try:
        from sklearn.datasets import load_diabetes
    except ImportError as error:
        raise SystemExit("The patients come with scikit-learn: pip install scikit-learn") from error
    raw: Any = load_diabetes(scaled=False)
    x, y = torch.from_numpy(raw.data).double(), torch.from_numpy(raw.target).double()
    held = torch.arange(len(x)) % 4 == 3
    mean, spread = x[~held].mean(0), x[~held].std(0)
    middle, width = y[~held].mean().item(), y[~held].std().item()
    u, v = (x - mean) / spread, (y - middle) / width
    names = tuple(raw.feature_names)
    return Patients(names, u[~held], v[~held], u[held], v[held], (mean, spread, middle, width))


def train(patients: Patients, steps: int) -> tuple[nn.Module, float]:
    """A small net, and the share of the held-out patients' variance that it explains."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(len(patients.names), 16), nn.Tanh(), nn.Linear(16, 1)).double()
    search = torch.optim.Adam(net.parameters(), lr=0.01)
    watched = torch.arange(len(patients.x)) % 3 == 2
    least, best = float("inf"), net.state_dict()
    for _ in range(steps):
        search.zero_grad()
        missed = (net(patients.x)[:, 0] - patients.y).square()
        missed[~watched].mean().backward()
        if missed[watched].mean().item() < least:
            least = missed[watched].mean().item()
            best = {name: each.clone() for name, each in net.state_dict().items()}
        search.step()
    net.load_state_dict(best)
    with torch.no_grad():
        missed = (net(patients.held_x)[:, 0] - patients.held_y).square().mean()
    return net.eval(), 1 - float(missed / patients.held_y.var(correction=0))


def experts(patients: Patients) -> dict[str, Any]:
    """Name -> how likely a patient is, or None."""
    x = patients.x
    gaussian = torch.distributions.MultivariateNormal(x.mean(0), torch.cov(x.T))
    # The sex is one of two values: some width keeps a Gaussian from collapsing on it.
    mixture = Mixture.fit(x, 4, covariance="full", reg_covar=0.05)
    return {"box only": None, "one Gaussian": gaussian, "mixture of four": mixture}


def imagine(patients: Patients, net: nn.Module, console: Console, steps: int) -> dict[str, Any]:
    """The worst patients that the net can imagine, and what they have to do with real ones."""
    x = patients.x
    real = net(x).detach()[:, 0]
    worst = int(real.argmax())
    columns = {"mean patient": x.mean(0), "real, worst predicted": x[worst]}
    numbers: dict[str, Any] = {"mean patient": {}, "real, worst predicted": {}}
    gauge = experts(patients)["one Gaussian"]
    for name, expert in experts(patients).items():
        prior = None
        if expert is not None:
            prior = Typical(expert, float(expert.log_prob(x).quantile(LIKELY)))
        for sex in (1, 2):
            low, high = x.amin(0), x.amax(0)
            value = (sex - patients.scale[0][SEX]) / patients.scale[1][SEX]
            low[SEX], high[SEX] = value - 1e-6, value + 1e-6
            start = x.mean(0, keepdim=True).clamp(low, high)
            found = whence.maximize(
                net,
                Output(prediction),
                start=start,
                prior=prior,
                box=(low, high),
                rate=0.05,
                steps=steps,
                schedule="cosine",
            )
            columns[f"{name}, sex {sex}"] = found.inputs[0]
            numbers[f"{name}, sex {sex}"] = {}
    typical = _nearest(x, x, itself=True).median()
    for name, column in columns.items():
        known = name == "real, worst predicted"
        apart = _nearest(column[None], x, itself=known)[0] / typical
        with torch.no_grad():
            predicted = patients.outcome(net(column[None]))[0, 0]
        measured = dict(zip(patients.names, patients.plain(column).tolist(), strict=True))
        likely = (gauge.log_prob(x) < gauge.log_prob(column)).double().mean()
        numbers[name] = {
            "predicted": float(predicted),
            "nearest patient": float(apart),
            "less likely patients": float(likely),
            "measurements": measured,
            "s1 - s2 - s3": measured["s1"] - measured["s2"] - measured["s3"],
        }
    _show(patients, numbers, console)
    return numbers


def _nearest(points: Tensor, patients: Tensor, *, itself: bool) -> Tensor:
    """How far the nearest patient is; of a patient itself, the nearest other."""
    return torch.cdist(points, patients).topk(2, largest=False).values[:, int(itself)]


def _show(patients: Patients, numbers: dict[str, Any], console: Console) -> None:
    head = ["", "predicted", "nearest", "less likely", *patients.names, "s1-s2-s3"]
    rows = [
        [
            name,
            f"{each['predicted']:.0f}",
            f"{each['nearest patient']:.1f}",
            f"{each['less likely patients']:.0%}",
            *(f"{value:.3g}" for value in each["measurements"].values()),
            f"{each['s1 - s2 - s3']:.0f}",
        ]
        for name, each in numbers.items()
    ]
    console.print(viz.table(head, rows, title="The worst patient the net can imagine"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Finds inputs with the largest prediction.")
    parser.add_argument("--out", type=Path, default=Path("out/extreme"))
    parser.add_argument("--quick", action="store_true", help="take fewer steps")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=140)
    kept: dict[str, Any] = {"hill": climb_the_hill(console)}
    patients = read_patients()
    net, share = train(patients, 300)
    top = float(patients.outcome(patients.y).amax())
    console.print(
        f"\nThe net explains {share:.0%} of the variance of held-out outcomes (up to {top:.0f})."
    )
    kept["explained"] = share
    kept["patients"] = imagine(patients, net, console, 150 if options.quick else 1500)
    (options.out / "extreme.json").write_text(json.dumps(kept, indent=1))
    console.print(f"Numbers are in {options.out}.")


if __name__ == "__main__":
    main()
