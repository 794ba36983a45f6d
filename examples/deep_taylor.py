"""Deep Taylor decomposition taken apart: three roots, four steps, and what the theory leaves open.

    python examples/deep_taylor.py            # a minute
    python examples/deep_taylor.py --quick    # fewer digits, layers and neurons

Everything is computed in double precision on the two small digit nets that ship with Whence, for
the class that the net gives a held-out digit. What is looked at was fixed before: the first digits
of the test part; in each layer the neurons with the most relevance.

- deep-taylor-roots.png: one neuron with two inputs and its roots by w-squared, z+ and z-box.
- deep-taylor-steps.png: the four steps at one neuron of each layer of the convolutional net.
- deep-taylor-min-max.png: the learned min-max relevance model beside the rules. (The
  penalty on its weights was chosen by looking at maps of these digits; it leaves R2 as it is.)

Printed, by layer: how far the rule is from the Taylor expansions of all its neurons by autograd;
of 60 neurons, how many roots are in their domain, and at how many none of the other ReLUs
from there on switches; how near to the root of the first of them the net can come (1: no nearer
than the input itself is); the change of c = R / a and of the gradient if the digit changes by 1 %
and by 10 % of its length.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from rich.console import Console
from torch import Tensor, nn

from whence import viz, zoo
from whence.explainers import DeepTaylor, DeepTaylorSteps, MinMaxDeepTaylor
from whence.rules import BoxDirection, root_point

CELL, SIZES = 150, (0.01, 0.1)
NETS = ("digits-cnn", "digits-mlp")
WEIGHT, BIAS, POINT = (1.0, -0.7), -0.1, (0.6, 0.2)
DIRECTIONS: dict[str, Any] = {
    "w-squared": "weight",
    "z+": "positive",
    "z-box, [0, 1]": BoxDirection(0.0, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Deep Taylor decomposition, step by step.")
    parser.add_argument("--out", type=Path, default=Path("out/deep-taylor"))
    parser.add_argument("--quick", action="store_true", help="fewer digits, layers and neurons")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=120)
    count, most, tries = (2, 10, 20) if options.quick else (5, 60, 300)

    viz.save(draw_roots(), options.out / "deep-taylor-roots.png")
    numbers: dict[str, Any] = {}
    for name in NETS:
        net, x = zoo.model(name), digits(name, "test", count)
        trace = DeepTaylorSteps(net.module.double(), 0.0, 1.0).trace(x)
        if name == "digits-cnn":
            console.print(f"The steps at neurons of {name}:")
            draw_steps(trace, console).save(options.out / "deep-taylor-steps.png", optimize=True)
        layers = trace.layers[-2:] if options.quick else trace.layers
        rows = [measured(trace, layer, count, most, tries) for layer in layers]
        columns = list(rows[0])
        told = [[_told(row[column]) for column in columns] for row in rows]
        console.print(viz.table(columns, told, title=f"{name}, {count} digits"))
        numbers[name] = rows
    numbers["min-max"] = learn(options.out, options.quick, console)
    (options.out / "deep-taylor.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"Pictures and numbers are in {options.out}.")


def digits(name: str, split: str, count: int) -> Tensor:
    """The first digits of a part, as the net sees them."""
    data, net = zoo.dataset("digits", split=split), zoo.model(name)
    return torch.cat([net.preprocess(data[k].image[None]) for k in range(count)]).double()


def draw_roots() -> viz.Drawing:
    """A neuron max(0, a w + b) of two inputs as a map, with a point and its root, by direction."""
    grid = torch.linspace(-0.5, 1.0, 61, dtype=torch.float64)
    w, a = torch.tensor(WEIGHT, dtype=torch.float64), torch.tensor(POINT, dtype=torch.float64)
    across = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), -1)  # (a2, a1, 2)
    heights = (across @ w + BIAS).clamp(min=0)
    cells, captions = [], []
    for direction in DIRECTIONS.values():
        root = root_point(a, w, direction, BIAS)
        cells.append(_marked(viz.surface(heights, size=240), a, root))
        terms = ((a - root) * w + 0.0).tolist()
        captions.append(
            f"root ({float(root[0]):.2f}, {float(root[1]):.2f}): R = ({terms[0]:.2f}, "
            f"{terms[1]:.2f})"
        )
    title = f"max(0, {WEIGHT[0]:g} a1 - {-WEIGHT[1]:g} a2 - {-BIAS:g}) at ({POINT[0]}, {POINT[1]})"
    return viz.draw_grid(
        [cells], column_names=list(DIRECTIONS), captions=[captions], title=title, cell=240
    )


def _marked(picture: Image.Image, a: Tensor, root: Tensor) -> Image.Image:
    """The map with a line from the point (filled) to its root (open), and the axes."""
    pen, side = ImageDraw.Draw(picture), picture.height

    def place(point: Tensor) -> tuple[float, float]:
        across, up = ((point + 0.5) / 1.5).tolist()
        return across * side, (1 - up) * side

    zero = place(torch.zeros(2))
    pen.line([(zero[0], 0), (zero[0], side)], fill=(120, 120, 120))
    pen.line([(0, zero[1]), (side, zero[1])], fill=(120, 120, 120))
    pen.line([place(a), place(root)], fill=(20, 20, 20), width=2)
    for point, fill in ((a, (20, 20, 20)), (root, (255, 255, 255))):
        x, y = place(point)
        pen.ellipse([x - 5, y - 5, x + 5, y + 5], fill=fill, outline=(20, 20, 20), width=2)
    return picture


def draw_steps(trace: Any, console: Console) -> Image.Image:
    """The steps at the neuron with the most relevance of the first three layers, for one digit."""
    pictures = []
    for layer in trace.layers[:3]:
        steps = trace.neuron(layer)
        console.print(str(steps), soft_wrap=True)
        pictures.append(steps.plot(cell=CELL))
    width, height = max(p.width for p in pictures), sum(p.height for p in pictures)
    page = Image.new("RGB", (width, height), (255, 255, 255))
    top = 0
    for picture in pictures:
        page.paste(picture, (0, top))
        top += picture.height
    return page.quantize(128)


def measured(trace: Any, layer: str, count: int, most: int, tries: int) -> dict[str, Any]:
    """What the tracer finds at one layer."""
    census = [trace.roots(layer, sample=sample, most=most) for sample in range(count)]
    looked = sum(each.neurons for each in census)
    changes = [trace.constancy(layer, draws=4, size=size) for size in SIZES]
    hidden = layer != trace.layers[0]
    return {
        "layer": layer,
        "rule - autograd": trace.verify(layer),
        "roots": looked,
        "in domain": sum(each.in_domain for each in census) / looked,
        "same region": sum(each.same_region for each in census) / looked,
        "reach": trace.reach(trace.neuron(layer), tries=tries) if hidden else 0.0,
        **{f"c, {each.size:.0%}": float(each.c.median()) for each in changes},
        **{f"gradient, {each.size:.0%}": float(each.gradient.median()) for each in changes},
    }


def learn(out: Path, quick: bool, console: Console) -> dict[str, float]:
    """The min-max relevance model of the dense net's first hidden layer, on digits held out."""
    net: nn.Module = zoo.model("digits-mlp").module.double()
    training = digits("digits-mlp", "train", 200 if quick else 1000)
    test = digits("digits-mlp", "test", 20 if quick else 200)
    method = MinMaxDeepTaylor(net, "layers.2", 0.0, 1.0, steps=100 if quick else 800).fit(training)
    rules = DeepTaylor(net, 0.0, 1.0).explain(test)
    learned = method.explain(test)
    given, predicted = learned.facts["given"], learned.facts["predicted"]
    found = {
        "R2 on training digits": method.quality(training),
        "R2 on held-out digits": method.quality(test),
        "|predicted - given| / given, median": float(((predicted - given).abs() / given).median()),
        "cosine with the rules, median": float(
            torch.cosine_similarity(
                learned.relevance.flatten(1), rules.relevance.flatten(1)
            ).median()
        ),
    }
    console.print(
        "The min-max relevance model: " + ", ".join(f"{k} {v:.3f}" for k, v in found.items())
    )
    maps = [[each[k] for k in range(5)] for each in (rules.relevance, learned.relevance)]
    shown = [[Image.fromarray((255 * x[0]).byte().numpy()) for x in test[:5]], *maps]
    picture = viz.grid(shown, row_names=["digit", "rules", "learned"], cell=96)
    viz.save(picture, out / "deep-taylor-min-max.png")
    return found


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1e}" if 0 < value < 1e-4 else f"{value:.3g}"


if __name__ == "__main__":
    main()
