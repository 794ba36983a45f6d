"""Weights in the caches of torch and Hugging Face, with torchvision and timm themselves."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
from safetensors.torch import save_file

from whence import zoo
from whence.zoo._cached import cached_models

torchvision = pytest.importorskip("torchvision", reason="names torchvision's models")
timm = pytest.importorskip("timm", reason="names timm's models")
pytestmark = pytest.mark.filterwarnings("ignore")  # their own


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("asked"))
    return tmp_path


def test_random_weights_in_fake_caches_are_found_and_loaded(caches: Path) -> None:
    theirs = {
        "torchvision:squeezenet1_1": zoo.model("torchvision:squeezenet1_1", pretrained=False),
        "timm:resnet10t.c3_in1k": zoo.model("timm:resnet10t", pretrained=False),
    }
    address = torchvision.models.get_model_weights("squeezenet1_1").DEFAULT.url
    checkpoint = caches / "torch" / "hub" / "checkpoints" / Path(urlsplit(address).path).name
    folder = caches / "hub" / "models--timm--resnet10t.c3_in1k"
    weights = folder / "snapshots" / "0a1b" / "model.safetensors"
    for path in (checkpoint, weights, folder / "refs" / "main"):
        path.parent.mkdir(parents=True)
    torch.save(theirs["torchvision:squeezenet1_1"].module.state_dict(), checkpoint)
    save_file(theirs["timm:resnet10t.c3_in1k"].module.state_dict(), weights)
    (folder / "refs" / "main").write_text("0a1b")

    found = cached_models()
    inputs = {name: torch.rand(1, *net.input_shape) for name, net in theirs.items()}
    ours = {name: zoo.model(name, file).module(inputs[name]) for name, file in found.items()}

    assert found == {"torchvision:squeezenet1_1": checkpoint, "timm:resnet10t.c3_in1k": weights}
    assert all(torch.equal(ours[name], net.module(inputs[name])) for name, net in theirs.items())
