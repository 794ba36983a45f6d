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
from whence.zoo import Model

_MOST = 10_000  # pictures that means and densities are learnt from
_WIDEST = 10_000  # numbers of an input that a density expert still takes
_NOISE = 0.05  # standard deviation of a start from noise, as a share of the range

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Known:
    """The pictures that a model was trained for, as it sees them, with their labels."""

    inputs: Tensor
    labels: Tensor


def read_known(search: Search, say: Say) -> Known | None:
    """The data, if anything is learnt from them."""
    around = search.priors.get("l2", {}).get("around") == "mean"
    means = search.start in ("mean", "class-means")
    colours = search.form == "fourier" and search.data is not None
    if not (around or means or colours or "density" in search.priors):
        return None
    data = read_data(search)
    indices = range(min(_MOST, len(data)))
    if len(indices) < len(data):
        say(f"Of {len(data):,} pictures of {data.name} the first {_MOST:,} are used.")
    inputs = torch.cat([search.preprocess(data[i].image) for i in indices])
    return Known(inputs, data.labels[: len(indices)])


def prior_of(
    search: Search, known: Known | None, folder: Path, seed: int, progress: bool, say: Say
) -> Prior | None:
    """The sum of the priors on pictures; weights are per squared share of the range."""
    span, found = span_of(search.net), None
    for name, options in search.priors.items():
        if name == "generator":
            continue
        if name == "l2":
            mean = options.get("around", "zero") == "mean"
            around = known.inputs.mean(0) if mean and known is not None else 0.0
            prior: Prior = L2(options.get("weight", 0.02) / span**2, around)
        elif name == "tv":
            power = options.get("power", 1)
            prior = TotalVariation(options.get("weight", 0.002) / span**power, power)
        else:
            expert = _expert(search, known, folder, seed, progress, say)
            prior = Density(expert, options.get("weight", 1.0))
        found = prior if found is None else found + prior
    return found


def _expert(
    search: Search, known: Known | None, folder: Path, seed: int, progress: bool, say: Say
) -> GaussianBinaryRBM:
    """The density of the data: from a file of an earlier search, or trained now."""
    assert known is not None
    features = known.inputs[0].numel()
    if features > _WIDEST:
        raise InvalidInput(
            f"A density expert learns from pictures of at most {_WIDEST:,} numbers, got "
            f"{features:,} in {search.data} as {search.net.name} sees it. Use l2 or tv."
        )
    options = search.priors["density"]
    hidden, training = options.get("hidden", 64), PersistentDivergence(**_only(options, "epochs"))
    asked = f"{digest(known.inputs)}, {hidden}, {training}, {seed}"
    name = hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()
    path = folder / f"density-{name}.safetensors"
    if path.is_file():
        say(f"The density expert is there already: {path}")
        return GaussianBinaryRBM.load(path)
    say(f"Training a density expert on {len(known.inputs):,} pictures of {search.data}.")
    expert = GaussianBinaryRBM.fit(
        known.inputs, hidden, training=training, seed=seed, progress=progress
    )
    folder.mkdir(parents=True, exist_ok=True)
    expert.save(path)
    return expert


def form_of(search: Search, known: Known | None) -> Parametrisation:
    """What is turned."""
    made = search.generator
    if made is not None:
        return Generator(
            made.decoder,
            made.code_shape,
            prior=L2(search.priors["generator"].get("weight", 0.05)),
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
