"""Prototypes as files: pictures for people, numbers for programs, and a row of scores each."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from whence import viz
from whence._identity import model_identity, versions
from whence.prototypes import Prototypes
from whence.prototypes._lens import Lens
from whence.runs._explain import _safely
from whence.runs._prototype_ask import Search
from whence.runs._question import _slug
from whence.zoo import Model

_TITLED = 4  # from so many pictures in a row there is room for a title


def write_prototypes(
    search: Search, found: Prototypes, folder: Path
) -> tuple[list[dict[str, Any]], list[Path]]:
    """All files, and the rows of scores."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(name) if name else None for name in found.names]
    found.names = [name_of(search, k) for k in numbers]
    rows = _rows(search, found, numbers)
    found.made |= {
        "model": search.net.name,
        "data": search.data,
        "start": search.start,
        "priors": search.priors,
        "form": search.form,
        "transformations": [repr(each) for each in search.changes],
        "scores": rows,
        "versions": versions(),
        "identity": {"name": search.net.name} | model_identity(search.net.module),
    }
    shown: dict[str, Any] = {
        "picture": search.preprocess.pixels,
        "captions": [_caption(row) for row in rows],
    }
    if len(rows) >= _TITLED:
        told = ": log-probabilities" if search.classes else ""
        shown["title"] = f"{search.net.name}, {search.in_words}{told}"
    paths = [folder / f"prototypes{suffix}" for suffix in (".png", ".svg", ".npz", ".json")]
    for path in paths:
        drawn = path.suffix in (".png", ".svg")
        _safely(path, lambda part, drawn=drawn: found.save(part, **(shown if drawn else {})))
    return rows, [*paths, *_single(search, found, folder)]


def _single(search: Search, found: Prototypes, folder: Path) -> list[Path]:
    """A picture of each prototype, in the pixels that the model sees."""
    names = [_slug(name) for name in found.names]
    files = []
    for index, pixels in enumerate(search.preprocess.pixels(found.inputs)):
        number = names[: index + 1].count(names[index])
        suffix = f"-{number}" if names.count(names[index]) > 1 else ""
        path = folder / f"{names[index]}{suffix}.png"
        _safely(path, lambda part, pixels=pixels: viz.save(_picture(pixels), part))
        files.append(path)
    return files


def _picture(pixels: Tensor) -> Image.Image:
    values = (pixels.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)


def _caption(row: dict[str, Any]) -> str:
    if row["class"] is None:
        return f"{row['name']}: {row['objective']:.3g}"
    return f"{row['name']}: {row['log_probability']:.2g}"


def name_of(search: Search, k: int | None) -> str:
    """The class, or the unit where there is none."""
    return search.unit if k is None else search.net.classes[k]


def _rows(search: Search, found: Prototypes, numbers: list[int | None]) -> list[dict[str, Any]]:
    """For each prototype its numbers, and what the model reads it as."""
    with torch.no_grad():
        logs = log_probabilities(search.net, found.inputs)
    top = logs.max(1)
    return [
        {
            "name": found.names[index],
            "class": k,
            "objective": float(found.objective[index]),
            "prior": float(found.prior[index]),
            "log_probability": None if k is None else float(logs[index, k]),
            "read_as": search.net.classes[int(top.indices[index])],
            "probability": float(top.values[index].exp()),
            "steps": int(found.steps[index]),
        }
        for index, k in enumerate(numbers)
    ]


def log_probabilities(net: Model, inputs: Tensor) -> Tensor:
    """log p of each class, (batch, classes), whatever the model ends in."""
    rows = torch.zeros(len(inputs), dtype=torch.long)
    seen = Lens(net.module).look(inputs, rows)
    if seen.head == "probabilities":
        return seen.output.log()
    if seen.head in ("sigmoid", "log_sigmoid"):
        return torch.nn.functional.logsigmoid(seen.scores)
    return seen.scores.log_softmax(1)
