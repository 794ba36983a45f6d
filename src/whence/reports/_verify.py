"""Does a record hold? The model, the inputs and the explanation, checked once more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from whence._explanation import Explanation, named
from whence._html import fragment, table
from whence._identity import inputs_sha256, model_identity, versions
from whence.engine._ledger import tolerance_in
from whence.errors import InvalidInput
from whence.explainers import explain
from whence.reports._arrays import to_array
from whence.reports._making import rules_of
from whence.reports._record import Record
from whence.reports._spelling import unspell

_WORDS = {True: "agrees", False: "DIFFERS", None: "not decisive"}


@dataclass(frozen=True)
class Check:
    """One thing that was compared; `agrees` is None where a difference decides nothing."""

    name: str
    agrees: bool | None
    told: str


@dataclass(frozen=True)
class Verification:
    """What `verify` found; `agrees` only if every decisive check does."""

    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        return all(each.agrees is not False for each in self.checks)

    def __str__(self) -> str:
        head = "The record holds." if self.agrees else "The record does NOT hold."
        lines = [f"  {each.name}: {_WORDS[each.agrees]}; {each.told}" for each in self.checks]
        return "\n".join([head, *lines])

    def _repr_html_(self) -> str:
        rows = [[each.name, _WORDS[each.agrees], each.told] for each in self.checks]
        return fragment(str(self).split("\n")[0], table(["what", "", "found"], rows))


def verify(
    record: Record,
    model: Any,
    inputs: Any,
    *,
    options: Mapping[str, Any] | None = None,
    target: Any = None,
) -> Verification:
    """Compare the hashes of a record with a model and inputs, explain once more, and compare.

    Relevance and score agree where no element differs by more than the tolerance of the numeric
    type (1e-5 in float32, 1e-11 in float64) times the sum of |R|: other hardware and versions
    round differently. options, target: for records that hold what only Python can build, such as
    functions; without them such a record raises `InvalidInput`.
    """
    if record.kind != "explanation":
        raise InvalidInput(
            f"verify takes the record of an explanation, got one of kind {record.kind!r}. "
            "A run's explanations are its parts."
        )
    body, arrays = record.body, record.arrays
    method = body["method"]
    if options is None:
        options = {key: unspell(each, arrays) for key, each in method["options"].items()}
    if target is None:
        target = unspell(body["target"]["spelled"], arrays)
    found = explain(model, inputs, target, method["name"], **options)
    checks = [
        *_identity(body, model, inputs),
        _rules(body, found, model, options),
        _score(body, found),
        _relevance(record, found),
        _versions(body),
    ]
    return Verification(tuple(each for each in checks if each is not None))


def _identity(body: Mapping[str, Any], model: Any, inputs: Any) -> list[Check]:
    there, now = body["model"] or {}, model_identity(model)
    hashes = ("weights_sha256", "structure_sha256")
    named_so = {"weights_sha256": "weights", "structure_sha256": "structure of the model"}
    checks = [_hashes(named_so[each], there.get(each), now[each]) for each in hashes]
    return [*checks, _hashes("inputs", body["inputs"]["sha256"], inputs_sha256(inputs))]


def _hashes(name: str, there: str | None, now: str | None) -> Check:
    if there is None or now is None:
        return Check(name, None, "there is no hash of a plain function, or none was recorded")
    same = there == now
    told = f"SHA-256 {there[:16]}..." + ("" if same else f" recorded, {now[:16]}... now")
    return Check(name, same, told)


def _rules(
    body: Mapping[str, Any], found: Explanation, model: Any, options: Mapping[str, Any]
) -> Check | None:
    if body.get("rules") is None:
        return None
    # The source line is where the model's file stood, which may be another folder here.
    there = [row[:3] for row in body["rules"]]
    now = [row[:3] for row in rules_of(found, model, options) or []]
    return Check("rules", there == now, f"{len(there)} operations recorded, {len(now)} now")


def _score(body: Mapping[str, Any], found: Explanation) -> Check:
    there = torch.tensor(body["score"], dtype=torch.float64).reshape(-1)
    now = found.score.detach().double().cpu().reshape(-1)
    if there.shape != now.shape:
        return Check("score", False, f"{len(there)} numbers recorded, {len(now)} now")
    apart = float((there - now).abs().max())
    limit = tolerance_in(found.score.dtype) * max(float(now.abs().max()), 1.0)
    return Check("score", apart <= limit, f"differs by {apart:.1e} at most, allowed {limit:.1e}")


def _relevance(record: Record, found: Explanation) -> Check:
    now = {f"relevance.{key}": each for key, each in named(found.relevance).items()}
    there = {key: each for key, each in record.arrays.items() if key.startswith("relevance.")}
    shapes = {key: each.shape for key, each in there.items()}
    if shapes != {key: tuple(each.shape) for key, each in now.items()}:
        return Check("relevance", False, f"recorded for {shapes}, now of other names or shapes")
    found_so = [_gaps(there[key], each) for key, each in now.items()]
    agrees = all(bool((gap <= limit).all()) for gap, limit in found_so)  # False for NaN
    apart = max((float(gap.max()) for gap, _ in found_so if len(gap)), default=0.0)
    least = min((float(limit.min()) for _, limit in found_so if len(limit)), default=0.0)
    return Check("relevance", agrees, f"differs by {apart:.1e} at most, allowed {least:.1e}")


def _gaps(there: np.ndarray, now: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each entry of the first axis, so that a large one does not cover for a small one: the
    largest difference, and the one that is allowed."""
    new = torch.from_numpy(to_array(now)).double()
    gap = (new - torch.from_numpy(there).double()).abs()
    sizes = new.abs().flatten(1).sum(1) if new.dim() > 1 else new.abs()
    worst = gap.flatten(1).amax(1) if gap.dim() > 1 else gap
    return worst, tolerance_in(now.dtype) * sizes


def _versions(body: Mapping[str, Any]) -> Check:
    there, now = body["versions"], versions()
    other = [
        f"{key} {there.get(key)} then, {now[key]} now" for key in now if there.get(key) != now[key]
    ]
    return Check("versions", None if other else True, "; ".join(other) or "the same")
