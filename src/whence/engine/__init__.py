"""The engine: records a model's operations and sends relevance back through them.

It knows operations by nature, and no rule by name. Start at `_run.record`, then `_sweep.sweep`.
"""

from whence.engine._adjoints import call_again, known, restore
from whence.engine._balance import relevance_of
from whence.engine._context import Context
from whence.engine._embedding import Embedded, at_leaf, reads
from whence.engine._kinds import NATURES, Kind, kind_of, known_names
from whence.engine._ledger import COLUMNS, Ledger, Row
from whence.engine._linear import Linear
from whence.engine._live import held_values, is_held
from whence.engine._message import Message
from whence.engine._natures import NEEDS_RULE, SENDERS
from whence.engine._node import Node
from whence.engine._pause import clear, paused_collection
from whence.engine._recurrent import Layout, Opened, open_layer, value_of
from whence.engine._run import Constants, record
from whence.engine._sweep import Tapped, require_rules, sweep, unruled
from whence.engine._tape import Op, Slot, Source, Tape, Value, tensors_in
from whence.engine._weights import WeightCache

__all__ = [
    "COLUMNS",
    "Constants",
    "Context",
    "Embedded",
    "Kind",
    "Layout",
    "Ledger",
    "Linear",
    "Message",
    "NATURES",
    "NEEDS_RULE",
    "Node",
    "Op",
    "Opened",
    "Row",
    "SENDERS",
    "Slot",
    "Source",
    "Tape",
    "Tapped",
    "Value",
    "WeightCache",
    "at_leaf",
    "call_again",
    "clear",
    "held_values",
    "is_held",
    "kind_of",
    "known",
    "known_names",
    "open_layer",
    "paused_collection",
    "reads",
    "record",
    "relevance_of",
    "require_rules",
    "restore",
    "sweep",
    "tensors_in",
    "unruled",
    "value_of",
]
