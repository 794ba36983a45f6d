"""State-space models: scans whose parameters depend on the input, with and without known rules."""

from whence.composites import _where as where
from whence.composites._composite import Composite, Entry
from whence.engine import Op
from whence.rules import Attention, Gradient, Hold, RecurrentCell, Uniform, Zero

# Layers with a selective scan own the logarithm of A and the skip D, in every known library.
_SCAN = where.owner("A_log", "D")
_GROUPED = where.owner("A_log", "D", "dt_bias")  # as in Mamba-2: delta, B and C without a map of
# their own; they are cut from the input's projection and its convolution

HELD_SCAN: list[Entry] = [
    (where.kind("softplus") & _SCAN, Hold()),  # delta, and with it A-bar and B-bar
    (where.kind("split") & _SCAN & ~_GROUPED, Hold()),  # delta, B, C
    (where.kind("split") & where.made_by("conv1d") & _GROUPED, Hold(outputs=(1, 2))),  # x, B, C
]

# Gated delta rules own A alone, RWKV its decays: nobody has published rules for their recurrences.
_OTHER = (where.owner("A_log") & ~where.owner("D")) | where.owner("time_decay", "time_first")
_CURVED = ("product", "pointwise", "inverse", "softmax", "max", "unknown")
UNPUBLISHED: list[Entry] = [(_OTHER & where.nature(each), Gradient()) for each in _CURVED]


def MambaLRP() -> Composite:
    """Mamba and Mamba-2: the parameters of the scan are held, gates share half, the rest is LRP-0.

        h_t = [A_t] h_{t-1} + [B_t] x_t,   y_t = [C_t] h_t + D x_t,   [.] held constant

    The step delta, and with it A and B, and the read-out C depend on the input but only steer the
    scan, which so becomes a linear filter of x. SiLU passes relevance on, and normalisers are
    held; attention layers of a hybrid are explained as by AttnLRP. Layers are known by their
    parameters A_log and D. Use it with the torch path of the scan: fused kernels cannot be seen
    into.

    References: [rezaei2024, sec. 4].
    """
    return Composite(
        [
            (where.nature("linear"), Zero()),
            (where.nature("recurrent"), RecurrentCell(epsilon=0)),
            (where.nature("product"), Uniform()),
            (where.nature("attention"), Attention()),
            (where.normaliser, Hold()),
            *HELD_SCAN,
        ]
    )


def has_scan(ops: list[Op]) -> bool:
    """Whether a layer with a selective scan is among the operations."""
    return _any(_SCAN, ops)


def has_unpublished(ops: list[Op]) -> bool:
    """Whether a recurrence for which there is no published rule is among the operations."""
    return _any(_OTHER, ops)


def _any(selector: where.Selector, ops: list[Op]) -> bool:
    scene = where.Scene([])
    return any(selector(op, scene) for op in ops)
