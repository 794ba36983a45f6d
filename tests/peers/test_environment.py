"""The environment of the peers is what the comparisons expect."""

import importlib

import pytest
import torch


@pytest.mark.parametrize("name", ["captum.attr", "quantus", "timm", "torchvision", "zennit.rules"])
def test_a_peer_imports(name: str) -> None:
    pytest.importorskip(name.partition(".")[0], reason="a peer library")

    assert importlib.import_module(name).__name__ == name


def test_a_model_of_torchvision_runs() -> None:
    torchvision = pytest.importorskip("torchvision", reason="runs a model of torchvision")
    scores = torchvision.models.squeezenet1_1().eval()(torch.zeros(1, 3, 64, 64))

    assert scores.shape == (1, 1000)
