"""Results to hand on: pages that stand alone, and records that an audit can check.

ex = whence.explain(model, images, 3)
reports.write(ex, "three.html", model)                # and three.json beside it
print(reports.verify(reports.read("three.json"), model, images))
"""

from whence.reports._making import record_of
from whence.reports._record import Record, read
from whence.reports._report import write, write_run
from whence.reports._verify import Check, Verification, verify

__all__ = [
    "Check",
    "Record",
    "Verification",
    "read",
    "record_of",
    "verify",
    "write",
    "write_run",
]
