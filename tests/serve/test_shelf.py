"""Which models are offered, and how many are kept."""

from pathlib import Path

import pytest
import torch

from whence import zoo
from whence.serve import Limits, Problem, Settings
from whence.serve._shelf import Shelf, kind_of


@pytest.fixture(autouse=True)
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHENCE_DATA", raising=False)


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


def test_a_name_of_the_zoo_that_is_not_offered_is_unknown(data: Path) -> None:
    shelf = Shelf(Settings())

    assert problem_of(shelf, "squeezenet-imagenet") == "unknown_model"
    assert problem_of(shelf, f"folder:{data}") == "unknown_model"
    assert problem_of(shelf, "timm:resnet18") == "unknown_model"


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


def test_a_net_on_plain_numbers_has_no_kind() -> None:
    plain = zoo.Model("plain", torch.nn.Linear(2, 2), torch.nn.Identity(), ("a", "b"), (2,),
                      torch.zeros(2), torch.ones(2))  # fmt: skip

    assert kind_of(plain) is None


def problem_of(shelf: Shelf, name: str) -> str:
    with pytest.raises(Problem) as found:
        shelf.model(name)
    return found.value.code
