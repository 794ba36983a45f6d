"""Stacked recurrent nets and packed sequences, recorded as the simpler calls they consist of.

A net of many layers becomes one call for each layer (both directions together); a packed sequence
becomes a choice of rows. A call of one layer stays: its rule opens it (`engine/_recurrent.py`).
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SEQUENCES = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def layered(name: str, args: tuple[Any, ...]) -> Callable[[], Any] | None:
    """The net layer by layer, or None if it is one layer already."""
    packed = len(args) > 3 and not isinstance(args[3], bool)
    if len(args) != 9:
        return None  # called by keyword: refused where it is recorded
    start = 3 if packed else 2
    layers, training = args[start + 2], args[start + 4]
    # A single layer has no dropout, so the mode of training changes nothing; but on a GPU torch has
    # a backward pass in that mode only, and the plain gradient needs one.
    if layers == 1 and (training or not args[0].is_cuda):
        return None
    return lambda: _layers(name, args, start)


def _layers(name: str, args: tuple[Any, ...], start: int) -> tuple[Tensor, ...]:
    states, weights, biased, layers, dropout, training, bidirectional, *rest = args[start - 1 :]
    run = getattr(torch, name)
    directions = 2 if bidirectional else 1
    count = len(weights) // layers
    signal, sizes, ends = args[0], args[1 : start - 1], []
    for layer in range(layers):
        if layer and training and dropout > 0:
            signal = F.dropout(signal, dropout, True)
        part = slice(layer * directions, (layer + 1) * directions)
        state = tuple(each[part] for each in states) if name == "lstm" else states[part]
        own = weights[layer * count : (layer + 1) * count]
        signal, *end = run(signal, *sizes, state, own, biased, 1, 0.0, True, bidirectional, *rest)
        ends.append(end)
    if layers == 1:
        return (signal, *ends[0])
    return (signal, *(torch.cat(each) for each in zip(*ends, strict=True)))


def pack(input: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """`_pack_padded_sequence` as a choice of rows."""
    with torch._C.DisableTorchFunction():
        rows = torch.arange(input.shape[0] * input.shape[1]).view(*input.shape[:2], 1)
        chosen, sizes = torch._pack_padded_sequence(rows, lengths, batch_first)
        chosen = chosen.flatten().to(input.device)
    return input.flatten(0, 1).index_select(0, chosen), sizes


def pad(
    data: Tensor, batch_sizes: Tensor, batch_first: bool, padding_value: float, total_length: int
) -> tuple[Tensor, Tensor]:
    """`_pad_packed_sequence` as a choice of rows, and the padding written over the rest."""
    with torch._C.DisableTorchFunction():
        rows = torch.arange(len(data)).view(-1, 1)
        chosen, lengths = torch._pad_packed_sequence(
            rows, batch_sizes, batch_first, -1, total_length
        )
        chosen = chosen.squeeze(-1).to(data.device)
        empty = (chosen < 0).view(*chosen.shape, *[1] * (data.dim() - 1))
        first = chosen.clamp(min=0).flatten()
    padded = data.index_select(0, first).unflatten(0, tuple(chosen.shape))
    return padded.masked_fill(empty, padding_value), lengths
