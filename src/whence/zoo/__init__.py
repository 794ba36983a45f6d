"""Data sets and trained models by name, so that there is something to explain.

    dataset("digits")      pictures, labels and class names
    model("digits-cnn")    a trained net with its preprocessing and class names
    names()                everything there is

The digits and two nets for them ship with Whence; all else is read from a local folder (`root=` or
the environment variable WHENCE_DATA) or through the loaders of torchvision, timm and transformers.
"""

from whence.zoo._dataset import Dataset, Item
from whence.zoo._datasets import dataset
from whence.zoo._image_input import ImageInput
from whence.zoo._model import Model
from whence.zoo._models import model
from whence.zoo._names import Entry, names
from whence.zoo._pictures import load_image
from whence.zoo._toolbox import SumPool, read_toolbox

__all__ = [
    "Dataset",
    "Entry",
    "ImageInput",
    "Item",
    "Model",
    "SumPool",
    "dataset",
    "load_image",
    "model",
    "names",
    "read_toolbox",
]
