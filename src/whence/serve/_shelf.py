"""The models that are offered, each by a name from a list; loaded when asked for, few kept."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from whence import zoo
from whence.errors import InvalidInput, NotAvailable, WhenceError
from whence.explainers import Patterns
from whence.runs import training_patterns
from whence.serve._problem import Problem
from whence.serve._schemas import Kind, ModelEntry
from whence.serve._settings import Settings
from whence.zoo import ImageInput, Model, TextInput
from whence.zoo._cached import cached_models

_LOG = logging.getLogger("whence.serve")
_STOPS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
_MOST_LAYERS = 60
_LEARNED_FROM = 500  # pictures: the first who asks waits for them


class Shelf:
    """Offered names, and the models themselves: at most `limits.models` are kept loaded.

    What is asked for is looked up among the offered names and is never taken as a path. Offered
    are the zoo's models of pictures and texts whose files are present, those of torchvision and
    timm whose weights are on this machine, and what the operator named. No request fetches weights.
    """

    def __init__(self, settings: Settings) -> None:
        self._root, self._most = settings.root, settings.limits.models
        self._named = settings.models
        self._lock = threading.Lock()
        self._learning = threading.Lock()  # takes seconds, in which others still get their models
        self._entries: dict[str, ModelEntry] | None = None
        self._sources: dict[str, str] = {}
        self._files: dict[str, Path] = {}  # weights of torchvision and timm
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._patterns: OrderedDict[str, Patterns] = OrderedDict()

    @property
    def entries(self) -> dict[str, ModelEntry]:
        """All that is offered, by name. The first time each model is loaded once to see."""
        with self._lock:
            if self._entries is None:
                self._entries = self._survey()
            return self._entries

    def entry(self, name: str, *kinds: Kind) -> ModelEntry:
        """What is known of an offered model, of one of these kinds if any are given."""
        found = self.entries.get(name)
        if found is None:
            raise Problem("unknown_model", _absent(name))
        if kinds and found.kind not in kinds:
            wanted = " or ".join(kinds)
            raise Problem("wrong_kind", f"{name} is a model of kind {found.kind}, not {wanted}.")
        return found

    def model(self, name: str, *kinds: Kind) -> Model:
        """An offered model, loaded if it is not."""
        self.entry(name, *kinds)
        with self._lock:
            return self._kept(self._loaded, name, lambda: self._load(name))

    def patterns(self, name: str) -> Patterns:
        """Patterns for PatternNet and PatternAttribution, learned once from training pictures."""
        net = self.model(name)

        def learn() -> Patterns:
            try:
                return training_patterns(net, zoo.data_of(name), self._root, most=_LEARNED_FROM)
            except InvalidInput as error:
                raise Problem(
                    "not_explained",
                    f"This method learns from training data first, and there is none of {name}.",
                ) from error

        with self._learning:
            return self._kept(self._patterns, name, learn)

    def _kept(self, shelf: OrderedDict[str, Any], name: str, make: Callable[[], Any]) -> Any:
        if name not in shelf:
            shelf[name] = make()
        shelf.move_to_end(name)
        while len(shelf) > self._most:
            shelf.popitem(last=False)
        return shelf[name]

    def _load(self, name: str) -> Model:
        try:
            return replace(zoo.model(self._sources[name], self._root_of(name)), name=name)
        except WhenceError as error:
            raise Problem("not_available", f"{name} cannot be loaded now.") from error

    def _root_of(self, name: str) -> Path | None:
        if name in self._files:
            return self._files[name]
        return self._root if self._sources[name] == name and _is_plain(name) else None

    def _survey(self) -> dict[str, ModelEntry]:
        found = {}
        for entry in zoo.names():
            if entry.kind == "model" and _is_plain(entry.name):
                found |= self._seen(entry.name, entry.description)
        for name, file in cached_models().items():
            if name not in self._named:
                self._files[name] = file
                found |= self._seen(name, f"{name}, its weights found on this machine")
        for source in self._named:
            name = Path(source).name if Path(source).is_dir() else source
            self._sources[name] = source
            net = zoo.model(source, self._root_of(name))  # an error ends the start, with its reason
            made = _entry(name, f"{name}, named by the operator", net)
            if not made:
                raise InvalidInput(_unfit(source, net))
            found |= made
        if not found:
            raise NotAvailable("There is no model to offer. Name one with --model.")
        return found

    def _seen(self, name: str, title: str) -> dict[str, ModelEntry]:
        """The entry of a model, if its files are here and fit."""
        self._sources[name] = name
        try:
            return _entry(name, title, zoo.model(name, self._root_of(name)))
        except (WhenceError, RuntimeError) as error:  # RuntimeError: weights of another model
            if name in self._files:
                _LOG.warning("%s is not offered: %s", name, error)
            return {}


def kind_of(net: Model) -> Kind | None:
    """What a model can be asked about; None for what the pages have no place for."""
    if net.input_shape == () and net.low is None:
        task = net.preprocess.task if isinstance(net.preprocess, TextInput) else "classification"
        kinds: dict[str, Kind] = {"classification": "text", "causal": "language"}
        return kinds.get(task)
    if len(net.input_shape) != 3 or net.low is None or len(net.classes) < 2:
        return None
    is_digits = net.classes == tuple("0123456789") and net.input_shape[0] == 1
    return "digits" if is_digits and isinstance(net.preprocess, ImageInput) else "image"


def _entry(name: str, title: str, net: Model) -> dict[str, ModelEntry]:
    kind = kind_of(net)
    if kind is None:
        return {}
    layers = [path for path, module in net.module.named_modules() if isinstance(module, _STOPS)]
    made = ModelEntry(
        name=name,
        kind=kind,
        title=title.split(";")[0],
        classes=list(net.classes),
        input=list(net.input_shape) or None,
        layers=layers[:_MOST_LAYERS] if kind in ("digits", "image") else [],
    )
    return {name: made}


def _unfit(source: str, net: Model) -> str:
    what = f", got {net.preprocess.task}" if isinstance(net.preprocess, TextInput) else ""
    return (
        f"A model to offer must classify pictures or texts, or be a causal language model{what}: "
        f"{source}. `whence explain` takes other models of texts too."
    )


def _absent(name: str) -> str:
    told = f"There is no model {name[:60]!r} here."
    if not name.startswith(("torchvision:", "timm:")):
        return told
    return (
        f"{told} Of torchvision and timm only those are offered whose weights are on the server, "
        "with the package installed, or that its operator names with --model; none is fetched."
    )


def _is_plain(name: str) -> bool:
    return ":" not in name  # what follows a colon has a source of its own, such as a hub or timm
