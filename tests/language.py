"""A language model that can be computed by hand, and a server that offers it.

The score of word k after the words x_0 ... x_t is  A[x_t, k] + sum_{i <= t} B[x_i, k]: a linear
model, so that each earlier word's share of it is known exactly.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from serving import server
from whence import zoo
from whence.serve import Settings
from whence.zoo import Model, TextInput

WORDS = ("<end>", "the", "cat", "sat", "on", "a", "mat", "<b>&amp;</b>")
NAME = "tiny-language"


class Counting(nn.Module):
    """Each word is followed by the next one of the list; "a" after "the" a little less."""

    def __init__(self) -> None:
        super().__init__()
        count = len(WORDS)
        self.embed = nn.Embedding(count, count)
        self.last = nn.Linear(count, count, bias=False)
        self.all = nn.Linear(count, count, bias=False)
        generator = torch.Generator().manual_seed(3)
        noise = 0.5 * torch.rand(count, count, generator=generator, dtype=torch.float64)
        follows = torch.roll(torch.eye(count, dtype=torch.float64), 1, 1)
        with torch.no_grad():
            self.embed.weight.copy_(torch.eye(count))
            self.last.weight.copy_(8 * follows.T)
            self.all.weight.copy_(noise)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        vectors = self.embed(input_ids)
        before = torch.ones(vectors.shape[1], vectors.shape[1], dtype=vectors.dtype).tril()
        return self.last(vectors) + self.all(before @ vectors)


class Spaces:
    """A tokenizer: words apart by spaces; what is not in the list is "the"."""

    eos_token_id = 0
    unk_token_id = 1
    all_special_tokens = ("<end>",)

    def __call__(self, texts: Sequence[str] | str, **options: Any) -> Mapping[str, Any]:
        text = texts if isinstance(texts, str) else texts[0]
        ids = [WORDS.index(word) if word in WORDS else 1 for word in text.split()]
        found = torch.tensor([ids])
        return {"input_ids": found, "attention_mask": torch.ones_like(found)}

    def __len__(self) -> int:
        return len(WORDS)

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return ["Ġ" + WORDS[each] for each in ids]


def tiny() -> Model:
    """The model as the zoo would give it."""
    return Model(
        NAME, Counting().double().eval(), TextInput(Spaces(), "causal"), (), (), None, None
    )


@contextmanager
def language_server(root: Path, *names: str) -> Iterator[str]:
    """The address of a server that offers the tiny model beside those that ship."""
    known = zoo.model

    def offered(name: str, *more: Any, **options: Any) -> Model:
        return tiny() if name == NAME else known(name, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "model", offered)
        with server(Settings(port=0, root=root, models=(NAME, *names))) as address:
            yield address
