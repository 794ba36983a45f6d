"""The four nets that properties are measured on."""

from collections.abc import Callable

import torch
from torch import Tensor

from theory.measuring import Setting
from theory.planes import active_nets, circle, plane
from whence import zoo

BIASES = 0.5  # standard deviation, in the random net that has them
POINTS, DIGITS, PATHS, TRAINING = 64, 16, 4, 500
ROUND, STRAIGHT = 1000, 100  # steps of the circle, and from one digit to another
FAINT = 0.05  # of the largest score: points where f is smaller are left out, as gaps are relative


def plane_setting(name: str, biases: float) -> Setting:
    """A random net of two inputs, its points drawn evenly from [-1, 1]^2, the unit circle."""
    net = next(iter(active_nets(1, biases).values()))
    generator = torch.Generator().manual_seed(0)
    drawn = 2 * torch.rand(20 * POINTS, 2, generator=generator, dtype=torch.float64) - 1
    kept = drawn[net(drawn)[:, 0] > FAINT * net(plane()).max()][:POINTS]
    classes = torch.zeros(len(kept), dtype=torch.long)
    return Setting(name, net, kept, classes, ((circle, 0),), ROUND, -1.0, 1.0, drawn)


def digits_setting(name: str, which: str) -> Setting:
    """A net that ships, in double precision; held-out digits for the class that it gives them, and
    straight paths from a digit to the next one of the data set."""
    net = zoo.model(which)
    module = net.module.double().requires_grad_(False)
    data = zoo.dataset("digits", split="test")
    inputs = net.preprocess(data.batch(range(0, 20 * DIGITS, 20))[0]).double()
    classes = module(inputs).argmax(1)
    paths = tuple((segment(inputs[k], inputs[k + 1]), int(classes[k])) for k in range(PATHS))
    like = net.preprocess(zoo.dataset("digits", split="train").batch(range(TRAINING))[0]).double()
    return Setting(name, module, inputs, classes, paths, STRAIGHT, 0.0, 1.0, like)


def segment(start: Tensor, end: Tensor) -> Callable[[Tensor], Tensor]:
    """The straight path between two inputs."""
    return lambda places: torch.lerp(start, end, places.view(-1, *[1] * start.dim()))


def settings() -> list[Setting]:
    """A random net of two inputs and a net for digits, each without biases and with."""
    return [
        plane_setting("two inputs, no biases", 0.0),
        plane_setting("two inputs, biases", BIASES),
        digits_setting("digits, no biases", "digits-cnn"),
        digits_setting("digits, biases", "digits-mlp"),
    ]
