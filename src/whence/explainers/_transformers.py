"""The two methods for transformers: attention with its pattern, and with its pattern held."""

from collections.abc import Callable
from typing import Any, ClassVar

from whence import composites
from whence.explainers._lrp import LRP


class AttnLRP(LRP):
    """Attention-aware LRP: relevance also passes through what decides where attention looks.

    Use it for transformers of any kind, on text, images or sound. It is LRP with the composite of
    the same name. Softmax and biases take a share, which the ledger states.

    References: [achtibat2024].
    """

    name: ClassVar[str] = "attnlrp"
    decomposes: ClassVar[str] = "the score, less what softmax and biases absorb (in the ledger)"
    sources: ClassVar[tuple[str, ...]] = ("achtibat2024",)

    def __init__(
        self,
        model: Callable[..., Any],
        epsilon: float = 0.0,
        *,
        output: Any = None,
        batch_axis: int = 0,
    ) -> None:
        rules = composites.AttnLRP(epsilon)
        super().__init__(model, rules, output=output, batch_axis=batch_axis)


class CPLRP(LRP):
    """Conservative propagation: attention patterns and norms count as constants.

    Use it to ask which values were passed on, given where attention looked. Relevance is conserved
    up to biases.

    References: [ali2022].
    """

    name: ClassVar[str] = "cp-lrp"
    decomposes: ClassVar[str] = "the score, less what biases absorb; attention patterns get none"
    sources: ClassVar[tuple[str, ...]] = ("ali2022",)

    def __init__(
        self,
        model: Callable[..., Any],
        epsilon: float = 0.0,
        *,
        output: Any = None,
        batch_axis: int = 0,
    ) -> None:
        rules = composites.CPLRP(epsilon)
        super().__init__(model, rules, output=output, batch_axis=batch_axis)
