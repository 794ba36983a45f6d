"""What an explainer returns: relevance of the inputs' own shape, and all that belongs to it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from whence._html import data_uri, fragment, paragraph, picture
from whence.errors import InvalidInput

Relevance = Tensor | tuple[Any, ...] | dict[str, Any]
SUFFIXES = (".png", ".svg", ".html", ".npz", ".safetensors", ".json")


@dataclass(eq=False)
class Explanation:
    """Relevance of every input element for one explained score of each sample.

    relevance: the inputs' own shape (tensor, tuple or dict as they came); a leading axis K for
    `targets.Each`. Integer token ids get one value for each token, `features` keeps the embedding
    axis. output: what the model gave. score: the explained number of each sample, shape (batch,).
    facts: what a method measured on the way, by name: one number for each sample, or tensors.
    options: what `whence.explain` was given besides model, inputs, target and method; None where a
    method was called directly.
    """

    relevance: Any
    inputs: Any
    output: Any
    target: Any
    score: Tensor
    method: str
    ledger: Any = None
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    features: Any = None
    taps: dict[str, Any] = field(default_factory=dict)
    again: Callable[[str], Any] | None = field(default=None, repr=False)
    draw: Callable[..., Any] | None = field(default=None, repr=False)
    write: Callable[..., Any] | None = field(default=None, repr=False)
    options: dict[str, Any] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        shapes = {name: tuple(each.shape) for name, each in named(self.relevance).items()}
        return f"Explanation({self.method}, relevance {shapes}, {_scores(self.score)})"

    def __str__(self) -> str:
        verdicts = [f"ledger: {each}" for each in self._verdicts()]
        return "\n".join([repr(self), *verdicts, *(f"note: {each}" for each in self.notes)])

    def _repr_html_(self) -> str:
        """How a notebook shows it: the picture, where there is one, and what the ledger says."""
        try:
            shown = picture(self.plot(), f"relevance by {self.method}")
        except InvalidInput as error:  # a shape without a picture is no reason to show nothing
            shown = paragraph(str(error))
        target = paragraph(f"target {self.target!r}, {_scores(self.score)}")
        verdicts = [paragraph(f"ledger: {each}") for each in self._verdicts()]
        notes = [paragraph(f"note: {each}") for each in self.notes]
        return fragment(self.method, target, shown, *verdicts, *notes)

    def at(self, name: str) -> Any:
        """The relevance at a named module's output (shape of that output).

        A module that was called several times gives a list, one tensor for each call.

        It was kept if `taps=[name]` was asked for; else the explanation is run again.
        """
        if name not in self.taps:
            if self.again is None:
                raise InvalidInput(f"{self.method} has no relevance inside the model.")
            self.taps[name] = self.again(name)
        return self.taps[name]

    def pool(self, groups: Mapping[str, Any] | Tensor) -> Any:
        """Relevance summed over groups of input elements: relevance is additive.

        `groups` maps names to boolean masks that broadcast to one sample (the result: name ->
        (batch,)), or holds one integer label for each element (the result: (batch, labels)).
        """
        relevance = self._single()
        if isinstance(groups, Tensor):
            count = int(groups.max()) + 1
            index = groups.to(relevance.device).expand(relevance.shape[1:]).flatten()
            pooled = relevance.new_zeros(len(relevance), count)
            return pooled.index_add_(1, index, relevance.flatten(1))
        sums = {}
        for name, mask in groups.items():
            chosen = torch.as_tensor(mask, device=relevance.device).to(relevance.dtype)
            sums[name] = (relevance * chosen).flatten(1).sum(1)
        return sums

    def plot(self, **options: Any) -> Any:
        """A picture of the explanation, one panel for each sample (a PIL image)."""
        return self._drawing(**options).image()

    def save(self, path: str | Path) -> Path:
        """Write the explanation; the suffix says how: picture (.png, .svg, .html) or numbers
        (.npz, .safetensors, .json). Returns the path."""
        path = Path(path)
        if path.suffix not in SUFFIXES:
            raise InvalidInput(f"save needs a suffix of {', '.join(SUFFIXES)}; got {path.name!r}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".svg"):
            drawing = self._drawing()
            assert self.write is not None
            self.write(drawing, path)
        elif path.suffix == ".html":
            path.write_text(self._html(), encoding="utf-8")
        elif path.suffix == ".json":
            path.write_text(json.dumps(self.record(), indent=1), encoding="utf-8")
        else:
            self._save_arrays(path)
        return path

    def record(self) -> dict[str, Any]:
        """All numbers as plain lists, for JSON."""
        relevance = {name: each.tolist() for name, each in named(self.relevance).items()}
        return {
            "method": self.method,
            "target": repr(self.target),
            "score": self.score.tolist(),
            "relevance": relevance,
            "ledger": self._of_ledger(lambda ledger: ledger.to_rows()),
            "verdict": self._of_ledger(lambda ledger: ledger.verdict),
            "notes": self.notes,
            "facts": {name: _listed(each) for name, each in self.facts.items()},
        }

    def _drawing(self, **options: Any) -> Any:
        if self.draw is None:
            raise InvalidInput("This explanation came without a renderer; use whence.viz.")
        relevance, inputs = self._single(), first(self.inputs)
        shown = isinstance(inputs, Tensor) and inputs.shape == relevance.shape
        return self.draw(_array(relevance), inputs=_array(inputs) if shown else None, **options)

    def _save_arrays(self, path: Path) -> None:
        arrays = {f"relevance.{name}": each for name, each in named(self.relevance).items()}
        arrays["score"] = self.score
        for fact, held in self.facts.items():
            for name, each in named(held).items():
                arrays[f"fact.{fact}" if isinstance(held, Tensor) else f"fact.{fact}.{name}"] = each
        if path.suffix == ".npz":
            numpy.savez_compressed(path, **{k: _array(v) for k, v in arrays.items()})
            return
        try:
            from safetensors.torch import save_file
        except ImportError as error:
            raise InvalidInput("save('.safetensors') needs: pip install safetensors") from error
        plain = {key: each.detach().cpu().contiguous() for key, each in arrays.items()}
        save_file(plain, path, metadata={"method": self.method, "target": repr(self.target)})

    def _html(self) -> str:
        verdicts = "".join(f"<p>{_escape(each)}</p>" for each in self._verdicts())
        return (
            "<!doctype html><meta charset='utf-8'>"
            f"<title>{_escape(self.method)}</title><h1>{_escape(self.method)}</h1>"
            f"<p>target {_escape(repr(self.target))}, score {_escape(str(self.score.tolist()))}</p>"
            f"<img alt='relevance' src='{data_uri(self.plot())}'>{verdicts}"
        )

    def _of_ledger(self, read: Callable[[Any], Any]) -> Any:
        """What is read off the ledger; a list for `targets.Each`, whose targets have one each."""
        if self.ledger is None:
            return None
        return [*map(read, self.ledger)] if isinstance(self.ledger, list) else read(self.ledger)

    def _verdicts(self) -> list[str]:
        found = self._of_ledger(lambda ledger: ledger.verdict)
        return found if isinstance(found, list) else [] if found is None else [found]

    def _single(self) -> Tensor:
        found = first(self.relevance)
        if not isinstance(found, Tensor):
            raise InvalidInput("There is no relevance to show: no input carries any.")
        return found


def first(structure: Any) -> Any:
    """The first tensor of a nested input, or None."""
    return next(iter(named(structure).values()), None)


def named(structure: Any) -> dict[str, Tensor]:
    """The tensors of a relevance or input structure by name: its keys, or "0", "1", ...; those in
    nested tuples are "1.0", "1.1", ..."""
    if isinstance(structure, Tensor):
        return {"0": structure}
    found = {}
    for name, each in _entries(structure):
        if isinstance(each, Tensor):
            found[name] = each
        else:
            found |= {f"{name}.{inner}": held for inner, held in named(each).items()}
    return found


def _entries(structure: Any) -> list[tuple[str, Any]]:
    if isinstance(structure, Mapping):
        return [(str(key), each) for key, each in structure.items()]
    if isinstance(structure, (tuple, list)):
        return [(str(number), each) for number, each in enumerate(structure)]
    return []


def _scores(score: Tensor) -> str:
    shown = ", ".join(f"{value:.4g}" for value in score.flatten()[:4].tolist())
    return f"score [{shown}{', ...' if score.numel() > 4 else ''}]"


def _listed(structure: Any) -> Any:
    found = {name: each.tolist() for name, each in named(structure).items()}
    return found["0"] if isinstance(structure, Tensor) else found


def _array(tensor: Tensor) -> Any:
    return tensor.detach().float().cpu().numpy()


def _escape(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
