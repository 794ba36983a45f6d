"""Generators by name: nets that turn codes into inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.zoo._datasets import unknown
from whence.zoo._digits import DIGITS_INPUT, WEIGHTS
from whence.zoo._model import Model
from whence.zoo._vae import VAE


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """A trained generator of inputs, with the encoder that says where an input lies among codes.

    - `decoder`: codes (batch, *code_shape) to inputs (batch, *input_shape).
    - `encoder`: inputs to codes, the other way.
    - `preprocess`: pictures to inputs; the same as that of the nets that take what it generates.
    - `low`, `high`: the smallest and largest input.

    >>> import torch, whence.zoo
    >>> vae = whence.zoo.generator("digits-vae")
    >>> vae.decoder(torch.zeros(3, *vae.code_shape)).shape
    torch.Size([3, 1, 32, 32])
    """

    name: str
    decoder: nn.Module
    encoder: nn.Module
    preprocess: Callable[[Any], Any]
    code_shape: tuple[int, ...]
    input_shape: tuple[int, ...]
    low: Tensor
    high: Tensor

    def __repr__(self) -> str:
        codes, inputs = (" x ".join(map(str, s)) for s in (self.code_shape, self.input_shape))
        return f"Autoencoder({self.name!r}, codes of {codes} -> inputs of {inputs})"

    def fits(self, model: Model) -> bool:
        """Whether it makes what a model takes: pictures of that shape, prepared alike."""
        return self.input_shape == model.input_shape and self.preprocess == model.preprocess


def digits_vae(root: str | Path | None = None) -> Autoencoder:
    """The autoencoder of 8 x 8 digits that ships, as the digits nets see them. `root` is not
    needed."""
    net = VAE((1, 32, 32))
    weights = load_file(WEIGHTS / "digits-vae.safetensors")  # half precision, to stay small
    net.load_state_dict({name: value.float() for name, value in weights.items()})
    net.eval().requires_grad_(False)
    return Autoencoder(
        name="digits-vae",
        decoder=net.decoder,
        encoder=net.encoder,
        preprocess=DIGITS_INPUT,
        code_shape=(net.code,),
        input_shape=net.shape,
        low=DIGITS_INPUT.low,
        high=DIGITS_INPUT.high,
    )


# Name -> what it is, and how it is loaded.
GENERATORS: dict[str, tuple[str, Callable[[str | Path | None], Autoencoder]]] = {
    "digits-vae": (
        "variational autoencoder of digits, 16 code units; ships with Whence",
        digits_vae,
    )
}


def generators() -> tuple[str, ...]:
    """The names of all generators.

    >>> import whence.zoo
    >>> whence.zoo.generators()
    ('digits-vae',)
    """
    return tuple(GENERATORS)


def generator(name: str, root: str | Path | None = None) -> Autoencoder:
    """A trained generator by its name, in eval mode; `whence.zoo.names()` lists them.

    >>> import whence.zoo
    >>> whence.zoo.generator("digits-vae")
    Autoencoder('digits-vae', codes of 16 -> inputs of 1 x 32 x 32)
    """
    if name not in GENERATORS:
        raise InvalidInput(unknown("generator", name, list(GENERATORS)))
    return GENERATORS[name][1](root)
