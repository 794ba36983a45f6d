"""Image classifiers and text models of Hugging Face transformers, through its own loaders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from whence.errors import InvalidInput
from whence.zoo._files import optional
from whence.zoo._image_input import as_batch
from whence.zoo._imagenet import unnamed
from whence.zoo._model import Model
from whence.zoo._text_input import TASKS, TextInput
from whence.zoo._torchvision import no_download


def huggingface_model(name: str, root: str | Path | None, pretrained: bool) -> Model:
    """The model at a hub name or in a local folder, with its own processor or tokenizer.

    Image classifiers take pictures, text models a string or a list of strings: classifiers of texts
    and of tokens, question answering, masked and causal language models, encoder-decoders. Their
    modules return transformers' outputs, whose `logits` are the scores. `root`: the download cache.
    """
    transformers = optional("transformers", f"hf:{name}")
    cache = str(root) if root else None
    try:
        config = transformers.AutoConfig.from_pretrained(name, cache_dir=cache)
        task, kind = _task(name, config)
        maker = getattr(transformers, kind)
        if pretrained:
            module = maker.from_pretrained(name, cache_dir=cache)
        else:
            module = maker.from_config(config)
        if task != "image":
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, cache_dir=cache)
            return _text_model(name, module.eval(), tokenizer, task)
        processor = transformers.AutoImageProcessor.from_pretrained(name, cache_dir=cache)
    except OSError as error:
        raise no_download(f"hf:{name}", error) from error
    return _image_model(name, module.eval(), processor)


@dataclass(frozen=True)
class ProcessorInput:
    """An image processor of transformers as preprocessing; takes what `ImageInput` takes."""

    processor: Any

    def __call__(self, image: Image.Image | Tensor) -> Tensor:
        if isinstance(image, Image.Image):
            return self._process(image.convert("RGB"), do_rescale=True)
        # Floats in 0..1 have been divided by 255 already.
        return self._process(list(as_batch(image, channels=3)), do_rescale=False)

    def box(self) -> tuple[Tensor, Tensor]:
        """The inputs for black and for white pixels, each of shape (channels, 1, 1)."""
        black, white = self(torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64)]))
        return black.amin((1, 2), keepdim=True), white.amax((1, 2), keepdim=True)

    def _process(self, images: Any, do_rescale: bool) -> Tensor:
        found = self.processor(images, return_tensors="pt", do_rescale=do_rescale)
        return found["pixel_values"]


def _task(name: str, config: Any) -> tuple[str, str]:
    architectures = list(config.architectures or [])
    if any(each.endswith("ForImageClassification") for each in architectures):
        return "image", "AutoModelForImageClassification"
    for ending, (task, maker) in TASKS.items():
        if any(each.endswith(ending) for each in architectures):
            return task, maker
    raise InvalidInput(
        f"hf:{name} must be an image or a text classifier, a question answerer or a language "
        f"model, got {architectures}. Load other models with transformers, and pass them to "
        "Whence as they are."
    )


def _text_model(name: str, module: Any, tokenizer: Any, task: str) -> Model:
    classes = _classes(module.config) if task.endswith("classification") else ()
    start = None
    if task == "encoder-decoder":
        start = module.config.decoder_start_token_id
        if start is None:
            raise InvalidInput(f"hf:{name} has no decoder_start_token_id in its config; set it.")
    preprocess = TextInput(tokenizer, task, start)
    return Model(f"hf:{name}", module, preprocess, classes, (), low=None, high=None)


def _image_model(name: str, module: Any, processor: Any) -> Model:
    preprocess = ProcessorInput(processor)
    low, high = preprocess.box()
    shape = tuple(preprocess(torch.zeros(1, 3, 64, 64)).shape[1:])
    return Model(f"hf:{name}", module, preprocess, _classes(module.config), shape, low, high)


def _classes(config: Any) -> tuple[str, ...]:
    labels = config.id2label or {}
    named = [str(labels[number]) for number in range(len(labels)) if number in labels]
    return tuple(named) if len(named) == config.num_labels else unnamed(config.num_labels)
