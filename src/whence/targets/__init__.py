"""What to explain: a class, a contrast, log-odds, a token, a span, a neuron, any weighing or
function of the output.

A target gives coefficients c for the model's output z; the relevance that starts there is z c, and
its sum is the score that the explanation distributes over the inputs.

Outputs with scores for each token, (batch, tokens, classes), need a position for class targets.
Where the inputs are token ids, the default is each text's last token, padding left out: for a
causal language model this is the prediction of the next token.
"""

from whence.targets._choice import Each, as_target
from whence.targets._classes import (
    ClassTarget,
    Contrast,
    Highest,
    Logit,
    LogOdds,
    LogProbability,
    Token,
)
from whence.targets._output import Function, Given, Neuron, Relative, Weights
from whence.targets._span import Span
from whence.targets._target import Target

__all__ = [
    "ClassTarget",
    "Contrast",
    "Each",
    "Function",
    "Given",
    "Highest",
    "LogOdds",
    "LogProbability",
    "Logit",
    "Neuron",
    "Relative",
    "Span",
    "Target",
    "Token",
    "Weights",
    "as_target",
]
