"""What does a class, a neuron or a direction look like to the model? Activation maximisation.

    found = whence.maximize(model, [3, 5], start=Noise((1, 28, 28)), prior=L2(0.01), box=(0, 1))

One loop (`maximize`) for every objective, prior and parametrisation of this package; each is a
small value of its own, and yours need one method.
"""

from whence.prototypes._class_objectives import Logit, LogProbability, Output, Target
from whence.prototypes._clusters import Clusters, Towards, clusters
from whence.prototypes._coordinates import Coordinates
from whence.prototypes._coverage import Coverage, coverage
from whence.prototypes._diversity import Diversity
from whence.prototypes._examples import Examples, most_active, most_relevant
from whence.prototypes._filters import Filters, filters
from whence.prototypes._fourier import Fourier, SpectralNoise, colour_root
from whence.prototypes._generator import Generator
from whence.prototypes._maximize import as_objective, maximize
from whence.prototypes._mixture import Mixture
from whence.prototypes._objective import Objective
from whence.prototypes._operations import Blur, Decay, Operation
from whence.prototypes._parametrisation import Parametrisation, Pixels, Projected, Squashed
from whence.prototypes._patches import Patch, draw_patches, patches
from whence.prototypes._plug_and_play import Denoiser, Shake, plug_and_play
from whence.prototypes._prior import L2, Density, Expert, Norm, Prior, TotalVariation
from whence.prototypes._prototypes import Prototypes
from whence.prototypes._rbm import GaussianBinaryRBM
from whence.prototypes._rbm_training import PersistentDivergence
from whence.prototypes._receptive import ReceptiveField, receptive_field
from whence.prototypes._seen import Seen
from whence.prototypes._start import ClassMeans, Mean, Noise, Start, Zeros
from whence.prototypes._transformations import (
    Crop,
    Flip,
    Jitter,
    Pad,
    Perturb,
    Rotate,
    Scale,
    Transformation,
)
from whence.prototypes._unit_objectives import Channel, Concept, Cosine, Direction, Layer, Neuron

__all__ = [
    "Blur",
    "Channel",
    "ClassMeans",
    "Clusters",
    "Concept",
    "Coordinates",
    "Cosine",
    "Coverage",
    "Crop",
    "Decay",
    "Denoiser",
    "Density",
    "Direction",
    "Diversity",
    "Examples",
    "Expert",
    "Filters",
    "Flip",
    "Fourier",
    "GaussianBinaryRBM",
    "Generator",
    "Jitter",
    "L2",
    "Layer",
    "LogProbability",
    "Logit",
    "Mean",
    "Mixture",
    "Neuron",
    "Noise",
    "Norm",
    "Objective",
    "Operation",
    "Output",
    "Pad",
    "Parametrisation",
    "Patch",
    "PersistentDivergence",
    "Perturb",
    "Pixels",
    "Prior",
    "Projected",
    "Prototypes",
    "ReceptiveField",
    "Rotate",
    "Scale",
    "Seen",
    "Shake",
    "SpectralNoise",
    "Squashed",
    "Start",
    "Target",
    "TotalVariation",
    "Towards",
    "Transformation",
    "Zeros",
    "as_objective",
    "clusters",
    "colour_root",
    "coverage",
    "draw_patches",
    "filters",
    "maximize",
    "most_active",
    "most_relevant",
    "patches",
    "plug_and_play",
    "receptive_field",
]
