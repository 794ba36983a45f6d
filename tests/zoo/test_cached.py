"""Models whose weights are on the machine already are found, and nothing is fetched or imported."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from whence.errors import InvalidInput
from whence.zoo._cached import cached_models
from whence.zoo._torchvision import read_state


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches of torch and of Hugging Face."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchvision with two classifiers and a timm with two models."""
    models = ModuleType("torchvision.models")
    models.__dict__["list_models"] = lambda module: ["one", "two"]
    models.__dict__["get_model_weights"] = lambda name: SimpleNamespace(
        DEFAULT=SimpleNamespace(url=f"https://weights.test/models/{name}-0a1b.pth")
    )
    timm = ModuleType("timm")
    timm.__dict__["is_model"] = lambda name: name.split(".")[0] in ("one", "two")
    for name, module in {
        "torchvision": ModuleType("torchvision"),
        "torchvision.models": models,
        "timm": timm,
    }.items():
        module.__spec__ = SimpleNamespace()  # type: ignore[assignment]
        monkeypatch.setitem(sys.modules, name, module)


def of_torch(caches: Path, name: str) -> Path:
    return written(caches / "torch" / "hub" / "checkpoints" / name)


def of_timm(caches: Path, name: str, file: str = "model.safetensors", state: str = "new") -> Path:
    folder = caches / "hf" / "hub" / f"models--timm--{name}"
    written(folder / "refs" / "main").write_text("new")
    return written(folder / "snapshots" / state / file)


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.usefixtures("packages")
def test_what_lies_in_the_caches_is_found_with_its_file(caches: Path) -> None:
    wanted = {
        "torchvision:two": of_torch(caches, "two-0a1b.pth"),
        "timm:one.a1_in1k": of_timm(caches, "one.a1_in1k"),
        "timm:two": of_timm(caches, "two", "pytorch_model.bin"),
    }

    assert cached_models() == wanted


@pytest.mark.usefixtures("packages")
def test_what_is_something_else_is_passed_over(caches: Path) -> None:
    of_torch(caches, "one-ffff.pth")  # other weights than the default
    of_torch(caches, "three-0a1b.pth")
    of_timm(caches, "three")  # no model that timm knows
    of_timm(caches, "two", "config.json")
    of_timm(caches, "one", state="old")  # of an older state
    written(caches / "hf" / "hub" / "models--other--one" / "refs" / "main").write_text("new")
    written(caches / "hf" / "hub" / "version.txt")
    (caches / "torch" / "hub" / "checkpoints" / "two-0a1b.pth").mkdir()

    assert cached_models() == {}


@pytest.mark.usefixtures("packages")
def test_the_cache_of_hugging_face_may_lie_elsewhere(
    caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = of_timm(caches, "one")
    monkeypatch.setenv("HF_HOME", "nowhere")
    monkeypatch.setenv("HF_HUB_CACHE", str(caches / "hf" / "hub"))

    assert cached_models() == {"timm:one": file}


def test_without_weights_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whence.zoo._cached.optional", lambda *_: pytest.fail("was imported"))

    assert cached_models() == {}


@pytest.mark.parametrize("missing", ["absent", "broken"])
def test_without_the_packages_there_are_none(
    caches: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    of_torch(caches, "one-0a1b.pth")
    of_timm(caches, "one")
    monkeypatch.setattr(
        "whence.zoo._cached.find_spec", lambda name: None if missing == "absent" else name
    )
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)

    assert cached_models() == {}


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"broken", b"\x00" * 64])
def test_a_file_that_holds_no_weights_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidInput, match="must hold tensors as torch or safetensors save them"):
        read_state(tmp_path / name)
