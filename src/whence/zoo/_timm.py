"""Image classifiers of timm, through its own loader."""

from pathlib import Path
from typing import Any

from whence.errors import InvalidInput
from whence.zoo._files import optional
from whence.zoo._image_input import ImageInput
from whence.zoo._imagenet import unnamed
from whence.zoo._model import Model, image_model
from whence.zoo._torchvision import no_download, read_state


def timm_model(name: str, root: str | Path | None, pretrained: bool) -> Model:
    """timm's model `name` with the preprocessing and labels of its configuration.

    `root`: a file of weights in place of the download.
    """
    timm = optional("timm", f"timm:{name}")
    if not timm.is_model(name):
        raise InvalidInput(f"timm has no model {name!r}. timm.list_models() lists them.")
    try:
        module = timm.create_model(name, pretrained=pretrained and not root)
    except OSError as error:
        raise no_download(f"timm:{name}", error) from error
    if root:
        module.load_state_dict(read_state(root))
    config = timm.data.resolve_model_data_config(module)
    channels, side, _ = config["input_size"]
    scaled = int(side / config["crop_pct"])
    preprocess = ImageInput(
        channels=channels,
        resize=scaled if config["crop_mode"] == "center" else (scaled, scaled),
        crop=side,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
    )
    labels = _labels(timm, module.num_classes)
    return image_model(f"timm:{name}", module, preprocess, labels, side)


def _labels(timm: Any, count: int) -> tuple[str, ...]:
    if count != 1000:
        return unnamed(count)
    names = timm.data.ImageNetInfo()
    return tuple(names.index_to_description(number) for number in range(count))
