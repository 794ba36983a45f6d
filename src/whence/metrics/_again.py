"""The same explanation of the same samples by another model."""

from typing import Any

import torch
from torch import nn

from whence._explanation import Explanation
from whence.errors import InvalidInput
from whence.explainers import Explainer
from whence.metrics._batch import Batch
from whence.metrics._case import Case


def explained_on(case: Case, model: Any, inputs: Any = None) -> Case:
    """The case as its explainer sees it for another model (and other inputs of the same shape).

    The target stays what it is for the model that was explained first. The explainer is made again
    by `Explainer.on`; a function of a model, model -> explainer or model -> (inputs, target ->
    relevance), is called with the other one.
    """
    if case.explainer is None:
        raise InvalidInput(
            "This metric explains again, so it needs explainer=: an explainer, or a function of a "
            "model that makes one, such as lambda model: LRP(model)."
        )
    asked = case.batch.inputs if inputs is None else inputs
    given = case.explainer
    with torch.enable_grad():  # functions of others may need it; ours do not care
        made: Any = given.on(model) if isinstance(given, Explainer) else given(model)
        explain = made.explain if isinstance(made, Explainer) else made
        found = explain(asked, case.batch.target)
    relevance = found.relevance if isinstance(found, Explanation) else found
    return Case(case.batch, relevance)


def module_of(batch: Batch) -> nn.Module:
    """The explained model, if it has parameters that one can change in a copy."""
    model = batch.model
    if not isinstance(model, nn.Module):
        raise InvalidInput(
            f"Parameters can be redrawn in an nn.Module only, got {type(model).__name__}. Wrap the "
            "function in a module that holds what it uses."
        )
    return model
