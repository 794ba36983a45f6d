"""PatternNet and PatternAttribution: what the neurons detect, learned from data."""

from typing import ClassVar

from whence.composites import Composite, where
from whence.engine import Op
from whence.explainers._patterned import Patterned
from whence.rules import InverseScale, PatternShare, PatternSignal, PatternSum


class PatternNet(Patterned):
    """PatternNet: the part of the input that the decision responds to, estimated from data.

        s_i = sum_j a_ij s_j,   starting with the score, through the ReLUs that are open

    A layer's output is weights times input, and weights must also cancel what disturbs (the
    distractor); so weights, and with them gradients, do not show what a neuron detects. Its pattern
    a does: the direction in which inputs vary with its output y = w^T x (without bias), w^T a = 1,

        linear         a = cov(x, y) / var(y)
        two-component  a = (E+[x y] - E+[x] E[y]) / (w^T E+[x y] - w^T E+[x] E[y])
        centred        a = cov+(x, y) / var+(y)

    E+ and cov+ are over the samples with y > 0. These two are for layers that only ReLUs read; all
    others get the linear one [haufe2014]. Where the distractor's mean is not zero, two-component
    takes a part of it for signal; centred does not.

    `fit(data)` estimates, in one pass over data like those the model was trained on; `patterns` are
    those of an earlier fit. Neurons that never fire on the data have the pattern zero, which the
    notes of each explanation say. The result estimates a signal and sums to nothing; where patches
    overlap it grows with depth, so its size means little.

    Unlike the paper, which has dense and convolutional layers with ReLUs and max pooling: a sum of
    two branches is a neuron like others, with a pattern for each channel; average pooling sends in
    proportion; activations other than ReLU pass the signal on; recurrent layers are refused.

    ```python
    ex = PatternNet(model).fit(train_images).explain(images, target=3)
    ```

    References: [kindermans2018], [haufe2014].
    """

    name: ClassVar[str] = "patternnet"
    decomposes: ClassVar[str] = "nothing: it estimates the signal in the input"
    sources: ClassVar[tuple[str, ...]] = ("kindermans2018", "haufe2014")

    def composite_for(self, ops: list[Op]) -> Composite:
        scales = where.nature("scale") | where.nature("affine")
        sums = PatternSum(self.of_sums, signal=True)
        return Composite(
            [*self.entries(PatternSignal(self.of_layers), sums), (scales, InverseScale())]
        )


class PatternAttribution(Patterned):
    """PatternAttribution: how much each input's part of the signal contributes to the score.

        R_i = sum_j w_ij a_ij R_j,   starting with the score, through the ReLUs that are open

    Deep Taylor decomposition with root points learned from data: the root of a neuron is its input
    without the signal, x - a y. See `PatternNet` for the patterns a and for `fit`. Since w^T a = 1,
    each layer passes on all relevance it receives, but for what would fall on padding; what arrives
    at closed ReLUs, and at neurons without a pattern, is dropped, and the ledger books it. So the
    sum is the score less what was dropped.

    ```python
    ex = PatternAttribution(model).fit(train_images).explain(images, target=3)
    ex.relevance, ex.ledger.verdict
    ```

    References: [kindermans2018].
    """

    name: ClassVar[str] = "pattern-attribution"
    decomposes: ClassVar[str] = "the score, less what the ledger books as dropped at closed ReLUs"
    sources: ClassVar[tuple[str, ...]] = ("kindermans2018",)
    default_ledger = "summary"

    def composite_for(self, ops: list[Op]) -> Composite:
        sums = PatternSum(self.of_sums)
        return Composite(self.entries(PatternShare(self.of_layers), sums))
