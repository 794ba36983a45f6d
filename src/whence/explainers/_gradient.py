"""The gradient family: one plain sweep back, read off in different ways."""

from typing import ClassVar

from torch import Tensor

from whence.composites import Composite, where
from whence.engine import Message, Op
from whence.errors import InvalidInput
from whence.explainers._tape import TapeExplainer
from whence.rules import DeconvnetReLU, Gradient, GuidedReLU

_PLAIN = Composite([(where.all, Gradient())])


class GradientTimesInput(TapeExplainer):
    """Gradient times input: R_i = x_i df/dx_i.

    On bias-free ReLU nets it equals LRP-0 and sums to f(x); elsewhere it sums to nothing special.
    It is not the Taylor decomposition at the origin, which needs f expanded at a root.

    References: [shrikumar2017].
    """

    name: ClassVar[str] = "gradient-times-input"
    decomposes: ClassVar[str] = "f(x) for bias-free piecewise-linear nets; otherwise nothing"
    sources: ClassVar[tuple[str, ...]] = ("shrikumar2017",)
    only_gradients = True

    def composite_for(self, ops: list[Op]) -> Composite:
        return _PLAIN


class Sensitivity(TapeExplainer):
    """Sensitivity analysis: R_i = (df/dx_i)^2.

    It says which inputs change the score most if they change a little: it decomposes the slope,
    sum_i R_i = ||grad f||^2, not the score. A pixel can matter to it by being absent.

    References: [simonyan2014].
    """

    name: ClassVar[str] = "sensitivity"
    decomposes: ClassVar[str] = "the squared norm of the gradient, not the score"
    sources: ClassVar[tuple[str, ...]] = ("simonyan2014",)
    only_gradients = True

    def composite_for(self, ops: list[Op]) -> Composite:
        return _PLAIN

    def finish(self, x: Tensor, message: Message) -> Tensor:
        return slope(message).square()


class InputGradient(TapeExplainer):
    """The plain gradient df/dx_i itself; signed, and the building block of the wrappers.

    References: [simonyan2014].
    """

    name: ClassVar[str] = "gradient"
    decomposes: ClassVar[str] = "nothing: it is the local slope"
    sources: ClassVar[tuple[str, ...]] = ("simonyan2014",)
    only_gradients = True

    def composite_for(self, ops: list[Op]) -> Composite:
        return _PLAIN

    def finish(self, x: Tensor, message: Message) -> Tensor:
        return slope(message)


class Deconvnet(InputGradient):
    """Deconvolution: the signal goes back through transposed filters, and ReLUs keep what is
    positive in the backward signal. It shows patterns, and sums to nothing.

    References: [zeiler2014].
    """

    name: ClassVar[str] = "deconvnet"
    decomposes: ClassVar[str] = "nothing"
    sources: ClassVar[tuple[str, ...]] = ("zeiler2014",)

    def composite_for(self, ops: list[Op]) -> Composite:
        return _PLAIN + [(where.kind("relu", "relu6"), DeconvnetReLU())]


class GuidedBackprop(InputGradient):
    """Guided backprop: ReLUs pass only what is positive both forward and backward.

    Sharp pictures that depend little on the class; sums to nothing.

    References: [springenberg2015].
    """

    name: ClassVar[str] = "guided-backprop"
    decomposes: ClassVar[str] = "nothing"
    sources: ClassVar[tuple[str, ...]] = ("springenberg2015",)

    def composite_for(self, ops: list[Op]) -> Composite:
        return _PLAIN + [(where.kind("relu", "relu6"), GuidedReLU())]


def slope(message: Message) -> Tensor:
    """The gradient that arrived at an input."""
    if message.c is None:
        raise InvalidInput(
            "This input has no gradient: its token ids are counted or changed before they are "
            "looked up. Explain the embeddings, or use lrp or gradient-times-input."
        )
    return message.c
