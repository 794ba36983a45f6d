"""Relevance by feature, where texts of a batch have their own lengths."""

import torch
from torch import Tensor

from whence.explainers._text import attention_mask, text_leaves
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Features


def pooled(case: Case, features: Features) -> Tensor:
    """The relevance of each feature, float64 of shape (samples, features); of texts, each token."""
    if kept(case.batch) is None:
        return case.pool(features).double()
    relevance = case.relevance.double()
    return relevance.flatten(2).sum(2) if relevance.dim() > 2 else relevance


def kept(batch: Batch) -> Tensor | None:
    """Which tokens of texts the attention mask keeps, (samples, tokens); None where no text is."""
    return batch.keep("kept tokens", lambda: _kept(batch))


def _kept(batch: Batch) -> Tensor | None:
    names = [name for name, leaf in text_leaves(batch.given).items() if leaf is batch.leaf]
    if not names:
        return None
    shape = batch.leaf.shape[:2]
    mask = attention_mask(batch.given, names[0])
    if mask is None or mask.shape != shape:
        return torch.ones(shape, dtype=torch.bool, device=batch.leaf.device)
    return mask != 0
