"""Our methods in the form that Quantus asks for."""

from collections.abc import Callable
from typing import Any

import numpy
import torch
from torch import nn

from whence._explanation import Explanation
from whence.errors import InvalidInput
from whence.explainers._explainer import Explainer
from whence.explainers._registry import explain, method_class

ExplainFunc = Callable[..., numpy.ndarray]


def for_quantus(method: str | type[Explainer] | Explainer = "lrp", **options: Any) -> ExplainFunc:
    """A method as Quantus's `explain_func(model, inputs, targets, **kwargs)`, arrays in and out.

    method: a name from `whence.methods()` or a class, with its `options`; or an explainer, which
    explains its own model only: metrics that randomise the model need a name or a class.

    The arrays go to the device and precision of the model. `explain_func_kwargs` of Quantus are
    further options of the method.

    ```python
    lrp = for_quantus("lrp", composite="epsilon-plus")
    quantus.PixelFlipping()(
        model=net, x_batch=x, y_batch=y, a_batch=None, explain_func=lrp, softmax=True
    )
    ```
    """
    if isinstance(method, str):
        method = method_class(method)
    if isinstance(method, Explainer) and options:
        raise InvalidInput(
            f"An explainer has its options already, got {', '.join(options)} besides. Give the "
            "method's name or class."
        )

    def explain_func(
        model: Any, inputs: Any, targets: Any = None, *, device: Any = None, **more: Any
    ) -> numpy.ndarray:
        given = numpy.asarray(inputs)
        place, kind = _home(model, device)
        x = torch.as_tensor(given).to(place)
        x = x.to(kind) if given.dtype.kind == "f" else x
        classes = None if targets is None else torch.as_tensor(numpy.asarray(targets)).to(place)
        if classes is not None:
            classes = classes.long()
        found = _explained(method, model, x, classes, {**options, **more}).relevance
        return found.detach().cpu().numpy().astype(given.dtype if given.dtype.kind == "f" else "f4")

    return explain_func


def _explained(
    method: type[Explainer] | Explainer, model: Any, x: Any, classes: Any, options: dict[str, Any]
) -> Explanation:
    if not isinstance(method, Explainer):
        return explain(model, x, classes, method, **options)
    if method.model is not model:
        raise InvalidInput(
            f"This {method.name} belongs to a model, and was asked about another one. Give the "
            "method's name or class to for_quantus, so that it explains what it is given."
        )
    run: Callable[..., Explanation] = method.explain
    return run(x, classes, **options)


def _home(model: Any, device: Any) -> tuple[torch.device, torch.dtype]:
    """Where the model's weights are, and their precision."""
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if first is None:
        return torch.device(device or "cpu"), torch.get_default_dtype()
    return first.device, first.dtype
