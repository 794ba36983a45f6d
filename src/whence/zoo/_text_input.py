"""Tokenizers of transformers as preprocessing, and what a model of text is asked by default."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from whence.errors import InvalidInput

# The ending of an architecture's name -> the task, and the loader of transformers for it.
TASKS = {
    "ForSequenceClassification": ("classification", "AutoModelForSequenceClassification"),
    "ForTokenClassification": ("token-classification", "AutoModelForTokenClassification"),
    "ForQuestionAnswering": ("question-answering", "AutoModelForQuestionAnswering"),
    "ForMaskedLM": ("masked", "AutoModelForMaskedLM"),
    "ForCausalLM": ("causal", "AutoModelForCausalLM"),
    "LMHeadModel": ("causal", "AutoModelForCausalLM"),
    "ForConditionalGeneration": ("encoder-decoder", "AutoModelForSeq2SeqLM"),
}


@dataclass(frozen=True)
class TextInput:
    """A tokenizer as preprocessing: a text or texts to what the model takes, tokens included.

    The result has `tokens(i)` and `word_ids(i)`, and is a mapping of tensors. Question answering
    takes a pair (question, context). Nothing is cut: a text that is too long is an error that says
    so when it is explained.

    task: one of "classification", "token-classification", "question-answering", "masked",
    "causal", "encoder-decoder". start: the token that a decoder starts with.
    """

    tokenizer: Any
    task: str = "classification"
    start: int | None = None

    def __call__(self, text: str | tuple[str, str] | list[str]) -> Any:
        texts = text if isinstance(text, list) else [text]
        for each in texts:
            if not (each if isinstance(each, str) else each[-1]).strip():
                raise InvalidInput(f"A text needs at least one word, got {each!r}.")
        pairs = [each if isinstance(each, tuple) else (each,) for each in texts]
        columns = [list(column) for column in zip(*pairs, strict=True)]
        made = self.tokenizer(*columns, return_tensors="pt", padding=len(texts) > 1)
        if self.start is not None:
            made["decoder_input_ids"] = made["input_ids"].new_full((len(texts), 1), self.start)
        return made

    def mask_place(self, ids: Tensor) -> int:
        """Where the mask token stands in the ids of one text; there must be exactly one."""
        mask = self.tokenizer.mask_token_id
        places = (ids == mask).nonzero().flatten().tolist()
        if len(places) != 1:
            raise InvalidInput(
                f"A masked language model fills in one {self.tokenizer.mask_token}, but the text "
                f"has {len(places)}. Put it where the word is wanted."
            )
        return places[0]
