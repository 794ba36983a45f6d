"""Which priors a search for a model's prototypes may have."""

import math
from pathlib import Path

from whence import zoo
from whence.runs._prototype_making import WIDEST
from whence.runs._prototype_words import PRIOR_WEIGHTS
from whence.zoo import Model


def prior_choices(net: Model, *, data: bool, root: str | Path | None = None) -> tuple[str, ...]:
    """The priors that fit a model of pictures; `data`: whether its data are at hand."""
    known = [zoo.generator(name, root) for name in zoo.generators()]
    fits = {
        "density": data and math.prod(net.input_shape) <= WIDEST,
        "generator": any(each.fits(net) for each in known),
    }
    return tuple(name for name in PRIOR_WEIGHTS if fits.get(name, True))
