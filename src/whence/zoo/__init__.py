"""Data sets and trained models by name, so that there is something to explain.

    dataset("digits")          pictures, labels and class names
    model("digits-cnn")        a trained net with its preprocessing and class names
    generator("digits-vae")    a trained decoder from codes to inputs
    names()                    everything there is

The digits, two nets and a generator for them, and a net that judges film reviews ship with Whence;
all else is read from a local folder (`root=` or the environment variable WHENCE_DATA) or through
the loaders of torchvision, timm and transformers.
"""

from whence.zoo._dataset import Box, Dataset, Item
from whence.zoo._datasets import dataset
from whence.zoo._generators import Autoencoder, generator, generators
from whence.zoo._image_input import ImageInput
from whence.zoo._model import Model
from whence.zoo._models import data_of, model
from whence.zoo._names import Entry, names
from whence.zoo._pictures import load_image
from whence.zoo._summary import Summary, summary
from whence.zoo._text_input import TextInput
from whence.zoo._texts import TextItem, Texts
from whence.zoo._toolbox import SumPool, read_toolbox
from whence.zoo._vae import VAE
from whence.zoo._vae_training import train_vae
from whence.zoo._words import WordInput, Words, split_words

__all__ = [
    "Autoencoder",
    "Box",
    "Dataset",
    "Entry",
    "ImageInput",
    "Item",
    "Model",
    "SumPool",
    "Summary",
    "TextInput",
    "TextItem",
    "Texts",
    "VAE",
    "WordInput",
    "Words",
    "data_of",
    "dataset",
    "generator",
    "generators",
    "load_image",
    "model",
    "names",
    "read_toolbox",
    "split_words",
    "summary",
    "train_vae",
]
