"""The errors Whence raises. Each says what must hold, what came, and what to do.

```text
WhenceError
├── InvalidInput          a value, shape or name that cannot be right
├── NotAvailable          data, weights or an optional package is absent
├── UnsupportedModel      the model leaves what can be recorded
│   ├── UntrackedTensor   a tensor came from nowhere the recording can see
│   └── UnsupportedOperations   operations without a rule, all listed at once
├── NotConserved          the ledger's residual is beyond the tolerance
└── Diverged              an ascent met NaN or infinity; `found` holds the best before
```
"""

from typing import Any

__all__ = [
    "Diverged",
    "InvalidInput",
    "NotAvailable",
    "NotConserved",
    "UnsupportedModel",
    "UnsupportedOperations",
    "UntrackedTensor",
    "WhenceError",
]


class WhenceError(Exception):
    """Base of all errors raised by Whence on purpose."""


class InvalidInput(WhenceError, ValueError):
    """A value, shape, name or combination of arguments that cannot be right."""


class NotAvailable(WhenceError):
    """Data, weights or an optional package is absent: what, where, and the line that helps."""


class UnsupportedModel(WhenceError):
    """The model does something that cannot be recorded exactly."""


class UntrackedTensor(UnsupportedModel):
    """A float tensor entered an operation, and no recorded operation made it."""


class UnsupportedOperations(UnsupportedModel):
    """Operations on the way to the target that no rule covers, all of them."""


class NotConserved(WhenceError):
    """The ledger does not close within the tolerance."""


class Diverged(WhenceError):
    """An ascent met a number that is not finite. `found` holds the best before, or None."""

    found: Any = None
