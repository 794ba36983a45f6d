"""A bidirectional LSTM that reads film reviews; ships with Whence."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from whence.zoo._model import Model
from whence.zoo._sst import SST_CLASSES
from whence.zoo._words import PADDING, Words

WEIGHTS = Path(__file__).parent / "weights"
WIDTH = 60


class SentimentLSTM(nn.Module):
    """Word vectors, an LSTM in each direction, and one linear map of their last states.

    From `input_ids` and `attention_mask` of shape (batch, tokens) to 5 scores. Words are vectors of
    60 numbers; each direction has 60 hidden units, as in [arras2017]. The sequences are packed, so
    that padding is never read. The last linear map has no bias: all that speaks for a class came
    through the LSTM.
    """

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, WIDTH, padding_idx=PADDING)
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(2 * WIDTH, len(SST_CLASSES), bias=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classifier(self.read(self.embedding(input_ids), attention_mask))

    def read(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        """The last state of both directions, (batch, 120), from word vectors."""
        lengths = attention_mask.sum(1).cpu()
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        _, (states, _) = self.lstm(packed)  # (2 directions, batch, 60)
        return torch.cat([states[0], states[1]], dim=1)


def sst_lstm(root: str | Path | None = None) -> Model:
    """The LSTM that ships, trained by scripts/train_sentiment.py. `root` is not needed.

    It knows the words that occur in three sentences of the training set or more.

    References: [arras2017], [socher2013].
    """
    words = Words(tuple((WEIGHTS / "sst-lstm.txt").read_text(encoding="utf-8").splitlines()))
    module = SentimentLSTM(words.size)
    weights = load_file(WEIGHTS / "sst-lstm.safetensors")  # half precision, to stay small
    module.load_state_dict({name: value.float() for name, value in weights.items()})
    return Model("sst-lstm", module.eval(), words, SST_CLASSES, (), low=None, high=None)
