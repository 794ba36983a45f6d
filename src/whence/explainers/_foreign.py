"""Methods of others as explainers, so that they are shown and measured as ours are."""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from whence import viz
from whence._explanation import Explanation
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._explainer import Explainer
from whence.explainers._inputs import Inputs
from whence.explainers._score import answer, fix_target
from whence.explainers._wrapped import average
from whence.targets import ClassTarget, Each, Target


class Foreign(Explainer):
    """A method of another library, or a function of yours, as an explainer.

    `method` is an attribution object of captum (anything with `attribute(inputs, target=...)`),
    which knows its model (`forward_func`), or a function `(model, inputs, target=...) -> relevance`
    with the `model` to explain. It gets a copy of the inputs, in the structure that they came in,
    and one class for each sample; `options` are handed on to it (`n_steps=50`). `name` stands in
    tables; `decomposes` says what its relevance sums to.

    What comes back must be finite and have the shape of the inputs. A map with a single channel, or
    none, is shared equally among the channels, as `GradCAM` does.

    ```python
    theirs = Foreign(captum.attr.IntegratedGradients(model), n_steps=50)
    mine = Foreign(lambda model, x, target: x.abs(), model, name="brightness")
    ```
    """

    def __init__(
        self,
        method: Any,
        model: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        decomposes: str = "what its authors say",
        output: Any = None,
        **options: Any,
    ) -> None:
        if not callable(getattr(method, "attribute", method)):
            raise InvalidInput(
                "Foreign needs an object with attribute(inputs, target=...) or a function of "
                f"model, inputs and target, got {type(method).__name__}."
            )
        model = getattr(method, "forward_func", None) if model is None else model
        if model is None:
            raise InvalidInput(
                f"{_called(method)} does not say which model it explains. Give it as the second "
                "argument: Foreign(method, model)."
            )
        super().__init__(model)
        self.method, self.options, self.output = method, options, output
        # What is fixed for our own methods depends on the object here.
        self.name = _called(method, options) if name is None else name  # pyright: ignore[reportAttributeAccessIssue]
        self.decomposes = decomposes  # pyright: ignore[reportAttributeAccessIssue]

    def __repr__(self) -> str:
        return f"Foreign({self.name})"

    def on(self, model: Callable[..., Any]) -> "Foreign":
        """The same method for another model; an attribution object is copied and given to it."""
        other = copy.copy(self)
        other.model, other.method = model, _moved(self.method, self.model, model)
        return other

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The method's relevance of each sample's target, which must be a class."""
        given = Inputs.of(inputs)
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        if isinstance(inputs, Mapping):
            raise InvalidInput(
                f"{self.name} takes a tensor or a tuple of tensors, got a dict of keyword "
                "arguments. Give a function of the tensors as model, and explain those."
            )
        check_inputs(self.model, given)
        clean = answer(self.model, inputs, self.output)
        fixed = fix_target(target, clean, given)
        leaves = [_copy(leaf) for leaf in given.leaves]
        classes = _classes(fixed, clean, self.name)
        call = getattr(self.method, "attribute", None) or partial(self.method, self.model)
        with torch.enable_grad():
            found = call(given.replaced(leaves), target=classes, **self.options)
        relevance = self._checked(found, leaves)
        return Explanation(
            relevance=given.rebuild(lambda i: relevance[i]),
            inputs=inputs,
            output=clean,
            target=fixed,
            score=fixed.score(clean),
            method=self.name,
            draw=viz.draw,
            write=viz.save,
        )

    def _checked(self, found: Any, leaves: list[Tensor]) -> list[Tensor]:
        """What came back, detached: a tensor for each input."""
        parts = [found] if isinstance(found, Tensor) else found
        tensors = isinstance(parts, (tuple, list)) and all(isinstance(e, Tensor) for e in parts)
        if not tensors or len(parts) != len(leaves):
            raise InvalidInput(
                f"{self.name} must return relevance for each of {len(leaves)} inputs and nothing "
                f"else, got {_told(found)}. Leave out options that ask for more."
            )
        return [self._like(each.detach(), x) for each, x in zip(parts, leaves, strict=True)]

    def _like(self, relevance: Tensor, x: Tensor) -> Tensor:
        pooled = (len(x), 1, *x.shape[2:])
        if x.dim() > 2 and relevance.shape in (pooled, (len(x), *x.shape[2:])):
            if relevance.shape != x.shape:
                relevance = (relevance.view(pooled) / x.shape[1]).expand_as(x).contiguous()
        if relevance.shape != x.shape:
            raise InvalidInput(
                f"{self.name} must return relevance of the shape of its input, "
                f"{tuple(x.shape)}, or with one channel or none; got {tuple(relevance.shape)}. "
                "A map of a layer must be enlarged first, in a function given to Foreign."
            )
        bad = ~relevance.flatten(1).isfinite().all(1)
        if bool(bad.any()):
            rows = bad.nonzero().flatten().tolist()
            raise InvalidInput(f"{self.name} returned NaN or infinity for the samples {rows}.")
        return relevance.to(x.dtype) if x.is_floating_point() else relevance


def _copy(leaf: Tensor) -> Tensor:
    """A leaf that gradients can be asked for, so that the user's tensor is left as it is."""
    copy = leaf.detach().clone()
    return copy.requires_grad_() if copy.is_floating_point() else copy


def _classes(target: Target, output: Tensor, name: str) -> Tensor | None:
    """The class of each sample, which is the only kind of target that all methods know; none where
    the model gives one number for each sample."""
    if output.dim() == 1:
        return None
    if isinstance(target, ClassTarget) and target.position is None and output.dim() == 2:
        c = target.weigh(output)
        if bool(((c != 0).sum(1) == 1).all()) and bool((c.amax(1) == 1).all()):
            return c.argmax(1)
    raise InvalidInput(
        f"{name} explains classes of scores (batch, classes), got {type(target).__name__} on "
        f"{tuple(output.shape)}. Give as model a function whose outputs are the scores you mean."
    )


def _moved(held: Any, old: Any, new: Any) -> Any:
    """What an attribution object holds, with one model in the place of another: the model itself,
    modules of it, and attribution objects inside."""
    if held is old:
        return new
    if isinstance(held, nn.Module) and isinstance(old, nn.Module):
        paths = [path for path, module in old.named_modules() if module is held]
        return new.get_submodule(paths[0]) if paths else held
    if isinstance(held, list):
        return [_moved(each, old, new) for each in held]
    if not hasattr(held, "attribute"):
        return held
    other = copy.copy(held)
    for name, each in vars(held).items():
        setattr(other, name, _moved(each, old, new))
    return other


def _called(method: Any, options: Mapping[str, Any] | None = None) -> str:
    """The package and name of a method, and what it was asked for."""
    named = method if hasattr(method, "__name__") else type(method)
    package = (getattr(named, "__module__", "") or "").split(".")[0]
    name = named.__name__ if package in ("", "__main__") else f"{package}.{named.__name__}"
    told = ", ".join(f"{key}={_short(value)}" for key, value in (options or {}).items())
    return f"{name}({told})" if told else name


def _short(value: Any) -> str:
    return f"tensor{tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)


def _told(found: Any) -> str:
    if isinstance(found, (tuple, list)):
        return f"{len(found)} values ({', '.join(type(each).__name__ for each in found)})"
    return type(found).__name__
