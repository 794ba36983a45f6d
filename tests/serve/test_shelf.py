"""Which models are offered, and how many are kept."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from whence import zoo
from whence.errors import InvalidInput
from whence.serve import Limits, Problem, Settings
from whence.serve._shelf import Shelf, kind_of
from whence.zoo._newsgroups_models import TfidfSVM
from whence.zoo._torchvision import read_state


@pytest.fixture(autouse=True)
def no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHENCE_DATA", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("WHENCE_CACHE", str(tmp_path / "cache"))


def test_what_ships_is_offered_without_a_folder() -> None:
    found = Shelf(Settings()).entries

    assert {name: each.kind for name, each in found.items()} == {
        "digits-cnn": "digits",
        "digits-mlp": "digits",
        "sst-lstm": "text",
    }
    assert found["digits-cnn"].input == [1, 32, 32]
    assert "features.3" in found["digits-cnn"].layers


def test_what_lies_in_the_folder_is_offered_too(data: Path) -> None:
    found = Shelf(Settings(root=data)).entries

    assert found["squeezenet-imagenet"].kind == "image"
    assert found["lenet5-mnist"].kind == "digits"
    assert "xor" not in found
    assert "newsgroups-svm" not in found


def test_models_that_were_trained_on_this_machine_are_offered(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "newsgroups.txt").write_text("orbit\nengine\n", encoding="utf-8")
    (cache / "newsgroups-classes.txt").write_text("sci.space\nrec.autos\n", encoding="utf-8")
    net = TfidfSVM(4, 2)
    save_file(net.state_dict(), cache / "newsgroups-svm.safetensors")
    found = Shelf(Settings()).entries

    assert found["newsgroups-svm"].kind == "text"
    assert found["newsgroups-svm"].classes == ["sci.space", "rec.autos"]
    assert "newsgroups-cnn" not in found


def test_a_name_of_the_zoo_that_is_not_offered_is_unknown(data: Path) -> None:
    shelf = Shelf(Settings())

    assert problem_of(shelf, "squeezenet-imagenet") == "unknown_model"
    assert problem_of(shelf, f"folder:{data}") == "unknown_model"
    assert problem_of(shelf, "timm:resnet18") == "unknown_model"


def test_weights_of_timm_on_this_machine_are_offered_and_read_from_their_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    load = zoo.model

    def loaded(name: str, root: Path | None = None) -> zoo.Model:
        asked.append((name, root))
        return load("digits-mlp") if name.startswith("timm:") else load(name, root)

    monkeypatch.setattr(zoo, "model", loaded)
    monkeypatch.setattr("whence.serve._shelf.cached_models", lambda: {"timm:a": Path("a.bin")})
    shelf = Shelf(Settings())

    assert shelf.entries["timm:a"].kind == "digits"
    assert shelf.model("timm:a").name == "timm:a"
    assert [each for each in asked if each[0] == "timm:a"] == [("timm:a", Path("a.bin"))] * 2


@pytest.mark.parametrize("content", [b"broken", None])
def test_weights_that_do_not_fit_are_not_offered_and_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    file = tmp_path / "a.bin"
    torch.save({"other": torch.zeros(1)}, file)
    file.write_bytes(content or file.read_bytes())
    load = zoo.model

    def loaded(name: str, root: Path | None = None) -> zoo.Model:
        net = load("digits-mlp") if name.startswith("timm:") else load(name, root)
        if name.startswith("timm:"):
            net.module.load_state_dict(read_state(str(root)))
        return net

    monkeypatch.setattr(zoo, "model", loaded)
    monkeypatch.setattr("whence.serve._shelf.cached_models", lambda: {"timm:a": file})

    assert "timm:a" not in Shelf(Settings()).entries
    assert "timm:a is not offered" in caplog.text


def test_an_absent_model_of_timm_is_explained() -> None:
    with pytest.raises(Problem, match="none is fetched"):
        Shelf(Settings()).model("timm:resnet18")
    with pytest.raises(Problem, match=r"here\.$"):
        Shelf(Settings()).model("resnet18")


def test_few_models_are_kept_the_last_used(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(Settings(limits=Limits(models=2)))
    assert len(shelf.entries) == 3
    loaded = []
    load = zoo.model
    monkeypatch.setattr(zoo, "model", lambda name, root: (loaded.append(name), load(name, root))[1])
    for name in ["digits-cnn", "digits-mlp", "digits-cnn", "sst-lstm", "digits-cnn", "digits-mlp"]:
        shelf.model(name)

    assert loaded == ["digits-cnn", "digits-mlp", "sst-lstm", "digits-mlp"]


def test_a_model_is_one_object_for_all_who_ask() -> None:
    shelf = Shelf(Settings())

    assert shelf.model("digits-cnn") is shelf.model("digits-cnn")


def test_another_kind_is_refused() -> None:
    with pytest.raises(Problem, match="kind text") as found:
        Shelf(Settings()).model("sst-lstm", "digits", "image")
    assert found.value.code == "wrong_kind"


def test_what_the_operator_names_is_offered_by_its_last_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    load = zoo.model
    monkeypatch.setattr(
        zoo, "model", lambda name, root: load("digits-mlp" if name == str(folder) else name, root)
    )
    shelf = Shelf(Settings(models=(str(folder),)))

    assert shelf.entries["mine"].kind == "digits"
    assert shelf.model("mine").name == "mine"
    assert problem_of(shelf, str(folder)) == "unknown_model"


def test_a_named_model_that_cannot_be_loaded_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"config\.json"):
        _ = Shelf(Settings(models=(str(tmp_path),))).entries


@pytest.mark.parametrize("task", ["masked", "question-answering", "token-classification"])
def test_a_named_model_of_another_task_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    words = zoo.TextInput(None, task)
    other = zoo.Model("m", torch.nn.Identity(), words, (), (), low=None, high=None)
    load = zoo.model
    monkeypatch.setattr(
        zoo, "model", lambda name, root: other if name == "hf:m" else load(name, root)
    )

    with pytest.raises(InvalidInput, match=rf"causal language model, got {task}: hf:m\."):
        _ = Shelf(Settings(models=("hf:m",))).entries


def test_a_net_on_plain_numbers_has_no_kind() -> None:
    plain = zoo.Model("plain", torch.nn.Linear(2, 2), torch.nn.Identity(), ("a", "b"), (2,),
                      torch.zeros(2), torch.ones(2))  # fmt: skip

    assert kind_of(plain) is None


def problem_of(shelf: Shelf, name: str) -> str:
    with pytest.raises(Problem) as found:
        shelf.model(name)
    return found.value.code
