"""Texts as tokenizers give them, and small models that read token ids, for the tests."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

# id -> token; 0 is padding, 1 and 2 stand around each text
VOCABULARY = ["[PAD]", "[CLS]", "[SEP]", "not", "good", "bad", "film", "un", "##like", "##ly", "."]


class Spoken(Mapping[str, Tensor]):
    """Token ids that know their tokens and words, as a fast tokenizer gives them."""

    def __init__(self, *texts: str, left: bool = False, **others: Tensor) -> None:
        rows = [[1, *(VOCABULARY.index(each) for each in text.split()), 2] for text in texts]
        longest = max(map(len, rows))
        gaps = [[0] * (longest - len(row)) for row in rows]
        padded = [gap + row if left else row + gap for row, gap in zip(rows, gaps, strict=True)]
        ids = torch.tensor(padded)
        self.tensors = {"input_ids": ids, "attention_mask": (ids != 0).long(), **others}

    def tokens(self, i: int = 0) -> list[str]:
        return [VOCABULARY[each] for each in self.tensors["input_ids"][i].tolist()]

    def word_ids(self, i: int = 0) -> list[int | None]:
        found: list[int | None] = []
        word = -1
        for token in self.tokens(i):
            word += not token.startswith(("##", "["))
            found.append(None if token.startswith("[") else word)
        return found

    def __getitem__(self, key: str) -> Tensor:
        return self.tensors[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


class SumOfWords(nn.Module):
    """Scores that are a sum over the words: every relevance can be computed by hand."""

    def __init__(self, width: int = 4, classes: int = 3) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), width)
        self.classifier = nn.Linear(width, classes, bias=False)
        self.double()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **others: Tensor) -> Tensor:
        kept = attention_mask.unsqueeze(2).to(self.embedding.weight.dtype)
        return self.classifier((self.embedding(input_ids) * kept).sum(1))

    def shares(self, ids: Tensor, k: int) -> Tensor:
        """The relevance of each element of the embeddings for class k."""
        return self.embedding.weight[ids] * self.classifier.weight[k]


class SumSoFar(nn.Module):
    """A causal language model: scores for the next token are a sum over the tokens so far."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), width)
        self.head = nn.Linear(width, len(VOCABULARY), bias=False)
        self.double()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        kept = attention_mask.unsqueeze(2).to(self.embedding.weight.dtype)
        return self.head((self.embedding(input_ids) * kept).cumsum(1))

    def shares(self, ids: Tensor, k: int) -> Tensor:
        """The relevance of each token for the score of token k, at any later place."""
        return (self.embedding.weight[ids] * self.head.weight[k]).sum(-1)


class Tokenizer:
    """A tokenizer of a single kind of mapping, with the names that transformers uses."""

    all_special_tokens = ("[PAD]", "[CLS]", "[SEP]")
    unk_token_id = None

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        ids = [VOCABULARY.index(each) for each in text.split()]
        return {"input_ids": [1, *ids, 2] if add_special_tokens else ids}

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [VOCABULARY[each] for each in ids]

    def convert_tokens_to_ids(self, token: str) -> int | None:
        return VOCABULARY.index(token) if token in VOCABULARY else None
