"""From what `whence maximize` is asked to the arguments of `prototypes.maximize`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes import (
    L2,
    ClassMeans,
    Density,
    Fourier,
    GaussianBinaryRBM,
    Generator,
    Mean,
    Noise,
    Parametrisation,
    PersistentDivergence,
    Pixels,
    Prior,
    TotalVariation,
    colour_root,
)
from whence.runs._evaluate_ask import digest
from whence.runs._prototype_ask import Search, read_data
from whence.runs._prototype_words import PRIOR_WEIGHTS
from whence.zoo import Model

_MOST = 10_000  # pictures that means and densities are learnt from
WIDEST = 10_000  # numbers of an input that a density expert still takes
_NOISE = 0.05  # standard deviation of a start from noise, as a share of the range

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Known:
    """The pictures that a model was trained for, as it sees them, with their labels."""

    inputs: Tensor
    labels: Tensor


def read_known(search: Search, say: Say, most: int = _MOST) -> Known | None:
    """The data, at most so many, if anything is learnt from them."""
    if not needs_data(search):
        return None
    data = read_data(search)
    indices = range(min(most, len(data)))
    if len(indices) < len(data):
        say(f"Of {len(data):,} pictures of {data.name} the first {most:,} are used.")
    inputs = torch.cat([search.preprocess(data[i].image) for i in indices])
    return Known(inputs, data.labels[: len(indices)])


def needs_data(search: Search) -> bool:
    """Whether anything is learnt from data."""
    around = search.priors.get("l2", {}).get("around") == "mean"
    means = search.start in ("mean", "class-means")
    colours = search.form == "fourier" and search.data is not None
    return around or means or colours or "density" in search.priors


def prior_of(
    search: Search, known: Known | None, expert: Callable[[Known], GaussianBinaryRBM]
) -> Prior | None:
    """The sum of the priors on pictures; weights are per squared share of the range.

    expert: makes the density of the data, where one is asked for.
    """
    span, found = span_of(search.net), None
    for name, options in search.priors.items():
        if name == "generator":
            continue
        weight = options.get("weight", PRIOR_WEIGHTS[name])
        if name == "l2":
            mean = options.get("around", "zero") == "mean"
            around = known.inputs.mean(0) if mean and known is not None else 0.0
            prior: Prior = L2(weight / span**2, around)
        elif name == "tv":
            power = options.get("power", 1)
            prior = TotalVariation(weight / span**power, power)
        else:
            assert known is not None
            prior = Density(expert(known), weight)
        found = prior if found is None else found + prior
    return found


@dataclass(frozen=True)
class Training:
    """How a density expert is trained for a search."""

    hidden: int
    steps: PersistentDivergence
    seed: int

    @classmethod
    def of(cls, search: Search, seed: int) -> "Training":
        """As the options of the prior say."""
        options = search.priors["density"]
        steps = PersistentDivergence(**_only(options, "epochs"))
        return cls(options.get("hidden", 64), steps, seed)

    def run(self, search: Search, known: Known, progress: bool, say: Say) -> GaussianBinaryRBM:
        """The expert, trained now."""
        check_width(search, known)
        say(f"Training a density expert on {len(known.inputs):,} pictures of {search.data}.")
        return GaussianBinaryRBM.fit(
            known.inputs, self.hidden, training=self.steps, seed=self.seed, progress=progress
        )

    def named(self, known: Known) -> str:
        """A name for it that no other data or training has."""
        asked = f"{digest(known.inputs)}, {self.hidden}, {self.steps}, {self.seed}"
        return hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()


def filed_expert(
    search: Search, known: Known, folder: Path, seed: int, progress: bool, say: Say
) -> GaussianBinaryRBM:
    """The density of the data: from a file of an earlier search, or trained now."""
    check_width(search, known)
    training = Training.of(search, seed)
    path = folder / f"density-{training.named(known)}.safetensors"
    if path.is_file():
        say(f"The density expert is there already: {path}")
        return GaussianBinaryRBM.load(path)
    expert = training.run(search, known, progress, say)
    folder.mkdir(parents=True, exist_ok=True)
    expert.save(path)
    return expert


def check_width(search: Search, known: Known) -> None:
    """A density expert learns from small pictures only."""
    features = known.inputs[0].numel()
    if features > WIDEST:
        raise InvalidInput(
            f"A density expert learns from pictures of at most {WIDEST:,} numbers, got "
            f"{features:,} in {search.data} as {search.net.name} sees it. Use l2 or tv."
        )


def form_of(search: Search, known: Known | None) -> Parametrisation:
    """What is turned."""
    made = search.generator
    if made is not None:
        return Generator(
            made.decoder,
            made.code_shape,
            prior=L2(search.priors["generator"].get("weight", PRIOR_WEIGHTS["generator"])),
            encoder=None if search.start == "noise" else made.encoder,
        )
    if search.form == "pixels":
        return Pixels()
    colours = None
    if known is not None and known.inputs.shape[1] == 3:
        colours = colour_root(known.inputs).to(known.inputs)
    return Fourier(search.net.input_shape, decorrelate=colours)


def start_of(search: Search, known: Known | None) -> Any:
    """Where it begins."""
    if search.picture is not None:
        return search.picture
    if search.start == "mean" and known is not None:
        return Mean(known.inputs)
    if search.start == "class-means" and known is not None:
        return ClassMeans(known.inputs, known.labels)
    if search.generator is not None:
        return Noise(search.generator.code_shape)
    if search.form == "fourier":
        return None  # its own noise, of all frequencies
    low, high = _ends(search.net)
    return Noise(search.net.input_shape, _NOISE * span_of(search.net), (low + high) / 2)


def box_of(search: Search) -> tuple[Tensor, Tensor] | None:
    """The box in the numbers that the model takes."""
    if search.box is None:
        return None
    low, high = _ends(search.net)
    return low + search.box[0] * (high - low), low + search.box[1] * (high - low)


def _ends(net: Model) -> tuple[Tensor, Tensor]:
    """Black and white as the model takes them, (channels, 1, 1)."""
    assert net.low is not None  # what takes pictures has them
    assert net.high is not None
    return net.low, net.high


def span_of(net: Model) -> float:
    """From black to white, the mean over channels."""
    low, high = _ends(net)
    return float((high - low).mean())


def _only(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if name in options}
