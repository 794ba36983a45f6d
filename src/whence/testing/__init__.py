"""Contracts that rules, methods and metrics keep, for this library and authors outside of it."""

from whence.testing._check_explainer import check_explainer
from whence.testing._check_metric import check_metric
from whence.testing._check_rule import check_rule
from whence.testing._oracle import Oracle, oracle_of
from whence.testing._untouched import untouched

__all__ = ["Oracle", "check_explainer", "check_metric", "check_rule", "oracle_of", "untouched"]
