"""What is kept of a fit: the pattern of each layer, and which weights they belong to."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from whence.errors import InvalidInput

ESTIMATORS = ("two-component", "linear", "centred")
_FORMAT = "whence patterns 1"
_SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class LayerPatterns:
    """The patterns of one layer, in the layout of its weights.

    signal: where the neuron fires, or everywhere. closed: where y <= 0, if that is another one; it
    only serves to measure how well the pair fits. dead: how many neurons have none, because they
    never fire or never vary on the data; their pattern is zero.
    """

    signal: Tensor
    closed: Tensor | None = None
    dead: int = 0


@dataclass(frozen=True, eq=False)
class Patterns:
    """The patterns of a model's layers, estimated by `PatternNet.fit`.

    estimator: how. samples: from how many inputs. layers: by place, which is the module's path
    (with @1, @2, ... for later calls of the same module, #1, ... for more operations in one call).
    model: names, shapes and a hash of the weights they were fitted to; None for plain functions.

    `patterns["features.0"]` is the pattern of a layer; `dead` counts the neurons without one.
    """

    estimator: str
    samples: int
    layers: Mapping[str, LayerPatterns]
    model: Mapping[str, Any] | None

    def __getitem__(self, place: str) -> Tensor:
        if place not in self.layers:
            raise InvalidInput(f"No pattern {place!r}; there are {', '.join(self.layers)}.")
        return self.layers[place].signal

    @property
    def dead(self) -> dict[str, int]:
        """How many neurons of a layer have no pattern, for the layers that have such neurons."""
        return {name: each.dead for name, each in self.layers.items() if each.dead}

    def save(self, path: str | Path) -> Path:
        """Write everything to a .safetensors file; returns the path."""
        path = Path(path)
        if path.suffix != _SUFFIX:
            raise InvalidInput(f"Patterns are saved as {_SUFFIX}, got {path.name!r}.")
        if self.model is None:
            raise InvalidInput(
                "Patterns of a plain function cannot be saved: nothing says later whether they "
                "belong to the model. Wrap the function in a module that holds what it uses."
            )
        tensors = {}
        for name, each in self.layers.items():
            tensors[f"signal/{name}"] = each.signal
            if each.closed is not None:
                tensors[f"closed/{name}"] = each.closed
        about = {
            "format": _FORMAT,
            "estimator": self.estimator,
            "samples": str(self.samples),
            "layers": json.dumps({name: each.dead for name, each in self.layers.items()}),
            "model": json.dumps(self.model),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
        save_file(plain, path, metadata=about)
        return path

    @classmethod
    def load(cls, path: str | Path, model: Callable[..., Any]) -> "Patterns":
        """Read patterns that `save` wrote; an error unless they were fitted to this very model."""
        about, tensors = _read(Path(path))
        found = cls(
            about["estimator"],
            int(about["samples"]),
            {
                name: LayerPatterns(tensors[f"signal/{name}"], tensors.get(f"closed/{name}"), dead)
                for name, dead in json.loads(about["layers"]).items()
            },
            json.loads(about["model"]),
        )
        check_model(found, model)
        return found.to(model)

    def to(self, model: Callable[..., Any]) -> "Patterns":
        """The same in the precision and on the device of the model's weights."""
        like = next(model.parameters(), None) if isinstance(model, nn.Module) else None
        if like is None:
            return self
        moved = {
            name: LayerPatterns(
                each.signal.to(like.device, like.dtype),
                None if each.closed is None else each.closed.to(like.device, like.dtype),
                each.dead,
            )
            for name, each in self.layers.items()
        }
        return replace(self, layers=moved)

    def __repr__(self) -> str:
        owner = "" if self.model is None else f", weights {self.model['hash'][:12]}"
        return (
            f"Patterns({self.estimator}, {len(self.layers)} layers, {self.samples} samples{owner})"
        )


def check_model(patterns: Patterns, model: Callable[..., Any]) -> None:
    """Raise unless the patterns were fitted to these weights."""
    own, asked = patterns.model, fingerprint(model)
    if own == asked:
        return
    if own is None or asked is None:
        raise InvalidInput(_REFIT.format("a plain function has no weights to compare"))
    shapes, others = own["shapes"], asked["shapes"]
    if shapes != others:
        name = next(each for each in {**shapes, **others} if shapes.get(each) != others.get(each))
        reason = f"{name} has shape {others.get(name)} here, {shapes.get(name)} there"
    else:
        reason = "names and shapes agree, the values of the weights do not"
    raise InvalidInput(_REFIT.format(reason))


_REFIT = (
    "Patterns belong to the weights they were fitted to, and these were fitted to other ones: {}. "
    "Refit them: PatternAttribution(model).fit(data)."
)


def fingerprint(model: Callable[..., Any]) -> dict[str, Any] | None:
    """Names and shapes of a module's parameters and buffers, and a hash of their values.

    The values count as single precision holds them, so a model in double precision is the same.
    None for what is no module.
    """
    if not isinstance(model, nn.Module):
        return None
    state = {name: each for name, each in model.state_dict().items() if isinstance(each, Tensor)}
    found = hashlib.blake2b(digest_size=16)
    for name, each in state.items():
        plain = each.detach().cpu().contiguous().flatten()
        plain = plain.float() if plain.is_floating_point() else plain
        found.update(name.encode() + plain.view(torch.uint8).numpy().tobytes())
    shapes = {name: list(each.shape) for name, each in state.items()}
    return {"shapes": shapes, "hash": found.hexdigest()}


def stamp(model: Callable[..., Any]) -> tuple[Any, ...]:
    """What changes when weights do, cheap to compare: identities and versions."""
    if not isinstance(model, nn.Module):
        return ()
    tensors = (*model.parameters(), *model.buffers())
    return tuple((id(each), each._version, each.data_ptr(), each.dtype) for each in tensors)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise InvalidInput(f"There is no file {path} with patterns.")
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("format") != _FORMAT:
                raise InvalidInput(
                    f"{path} must hold {_FORMAT}, got {about.get('format', 'no format')!r}. "
                    "Patterns.save writes such files."
                )
            return about, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InvalidInput(f"{path} is no whole {_SUFFIX} file: {error}.") from error
