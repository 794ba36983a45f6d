"""Models by name."""

from collections.abc import Callable
from pathlib import Path

from whence.errors import InvalidInput
from whence.zoo._datasets import unknown
from whence.zoo._digits import digits_cnn, digits_mlp
from whence.zoo._fashion import fashion_cnn
from whence.zoo._huggingface import huggingface_model
from whence.zoo._model import Model
from whence.zoo._newsgroups_models import newsgroups_cnn, newsgroups_svm
from whence.zoo._painn import painn_ethanol
from whence.zoo._resnet_cifar import resnet20, resnet56
from whence.zoo._sentiment import sst_lstm
from whence.zoo._squeezenet import squeezenet_v1_0, squeezenet_v1_1
from whence.zoo._timm import timm_model
from whence.zoo._toolbox_models import lenet5, xor
from whence.zoo._torchvision import torchvision_model

Root = str | Path | None

# Name -> what it is, and how it is loaded.
MODELS: dict[str, tuple[str, Callable[[Root], Model]]] = {
    "digits-cnn": ("small CNN without biases for digits; ships with Whence", digits_cnn),
    "digits-mlp": ("two hidden layers with biases for digits; ships with Whence", digits_mlp),
    "sst-lstm": ("bidirectional LSTM for the mood of a film review; ships with Whence", sst_lstm),
    "newsgroups-cnn": (
        "word vectors and a CNN for 20 Newsgroups; trained on demand",
        newsgroups_cnn,
    ),
    "newsgroups-svm": (
        "tf-idf and a linear SVM for 20 Newsgroups; trained on demand",
        newsgroups_svm,
    ),
    "lenet5-mnist": ("LeNet-5 of the LRP toolbox for MNIST; LeNet-5.txt", lenet5),
    "xor": ("three small layers that compute XOR, LRP toolbox; xor_net_small.txt", xor),
    "fashion-cnn": ("small residual CNN for Fashion-MNIST; fashion_cnn_weights.npz", fashion_cnn),
    "resnet20-cifar10": ("ResNet-20 for CIFAR-10; resnet20_weights.npz", resnet20),
    "resnet56-cifar10": ("ResNet-56 for CIFAR-10; resnet56_weights.npz", resnet56),
    "squeezenet-imagenet": ("SqueezeNet v1.1; squeezenet_v1_1_fp16.npz", squeezenet_v1_1),
    "squeezenet1_0-imagenet": (
        "SqueezeNet v1.0; squeezenet_v1_0_deepcompressed.npz",
        squeezenet_v1_0,
    ),
    "painn-ethanol": (
        "PaiNN: places of ethanol's atoms -> energy; painn_rmd17_ethanol_weights.npz",
        painn_ethanol,
    ),
}

# The data that a model was trained for, under the names of `dataset`.
_DATA = {
    "digits-cnn": "digits",
    "digits-mlp": "digits",
    "lenet5-mnist": "mnist",
    "fashion-cnn": "fashion-mnist",
    "resnet20-cifar10": "cifar10",
    "resnet56-cifar10": "cifar10",
    "squeezenet-imagenet": "imagenet-samples",
    "squeezenet1_0-imagenet": "imagenet-samples",
}


def data_of(name: str) -> str | None:
    """The data set of pictures like those that a model was trained on, or None; see `dataset`."""
    return _DATA.get(name)


# Prefix -> what follows it, what it is, and how it is loaded.
MODEL_PREFIXES: dict[str, tuple[str, str, Callable[[str, Root, bool], Model]]] = {
    "torchvision": ("NAME", "a classifier of torchvision.models", torchvision_model),
    "timm": ("NAME", "an image classifier of timm", timm_model),
    "hf": (
        "NAME_OR_PATH",
        "an image classifier or text model of Hugging Face transformers, by hub name or folder",
        huggingface_model,
    ),
}


def model(name: str, root: str | Path | None = None, *, pretrained: bool = True) -> Model:
    """A trained model by its name, in eval mode; `whence.zoo.names()` lists them.

    A folder with a `config.json` is read as "hf:FOLDER".

    `root` is the folder that holds weights, by default the environment variable WHENCE_DATA; the
    digits nets need none. For "torchvision:NAME" and "timm:NAME" it is a file of weights (.pth or
    .safetensors) to load in place of the download, for "hf:NAME" the download cache. With
    `pretrained=False` these three give random weights and download none.

    Raises `NotAvailable` with what was looked for where, or the package to install, and
    `InvalidInput` for an unknown name or a damaged file.

    >>> import whence.zoo
    >>> whence.zoo.model("digits-cnn")
    Model('digits-cnn', 1 x 32 x 32 -> 10 classes)
    """
    prefix, colon, rest = name.partition(":")
    if colon and prefix in MODEL_PREFIXES:
        return MODEL_PREFIXES[prefix][2](rest, root, pretrained)
    if name not in MODELS and Path(name, "config.json").is_file():
        return huggingface_model(name, root, pretrained)
    if name not in MODELS and Path(name).is_dir():
        raise InvalidInput(
            f"The folder {name} must hold a model as transformers saves it, with a config.json."
        )
    if name not in MODELS:
        known = [*MODELS, *(f"{prefix}:{entry[0]}" for prefix, entry in MODEL_PREFIXES.items())]
        raise InvalidInput(unknown("model", name, known))
    if not pretrained:
        raise InvalidInput(
            f"{name} comes with its trained weights only, got pretrained=False. "
            "Random weights are for torchvision:, timm: and hf: models."
        )
    return MODELS[name][1](root)
