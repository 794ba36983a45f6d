"""Prototypes found without files, and the data and experts that searches share."""

import threading

import pytest
import torch

from whence import runs
from whence.errors import InvalidInput
from whence.runs import _prototype_making as making


def ask(*priors: str, start: str | None = None) -> runs.Search:
    return runs.ask_prototypes("digits-mlp", "3,8", priors=priors, start=start)


@pytest.mark.parametrize("prior", ["", "l2", "density:hidden=8:epochs=1", "generator"])
def test_it_finds_what_the_command_finds(prior: str, tmp_path: object) -> None:
    here = runs.PrototypeMemory().find(ask(prior), runs.Effort(steps=3))
    there = runs.find_prototypes(ask(prior), f"{tmp_path}", steps=3).prototypes

    torch.testing.assert_close(here.inputs, there.inputs, rtol=0, atol=0)
    torch.testing.assert_close(here.objective, there.objective, rtol=0, atol=0)


def test_data_and_experts_are_learnt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, read = [], []
    run, data = making.Training.run, making.read_data
    monkeypatch.setattr(
        making.Training, "run", lambda self, *rest: trained.append(self) or run(self, *rest)
    )
    monkeypatch.setattr(making, "read_data", lambda search: read.append(search) or data(search))
    memory = runs.PrototypeMemory(most=50)
    short = "density:hidden=4:epochs=1"
    first = memory.find(ask(short), runs.Effort(steps=2))
    again = memory.find(ask(short), runs.Effort(steps=2))

    assert (len(trained), len(read)) == (1, 1)
    assert torch.equal(first.inputs, again.inputs)


def test_what_is_kept_is_bounded() -> None:
    memory = runs.PrototypeMemory(most=20, kept=2)
    for hidden in (2, 3, 4, 5):
        memory.find(ask(f"density:hidden={hidden}:epochs=1"), runs.Effort(steps=1))

    assert len(memory._experts) == 2
    assert len(memory._known) == 1


def test_notes_tell_which_pictures_were_used_also_the_second_time() -> None:
    memory, said = runs.PrototypeMemory(most=20), []
    memory.find(ask("l2"), runs.Effort(steps=1), said.append)
    memory.find(ask("l2"), runs.Effort(steps=1), said.append)

    assert len(said) == 2
    assert "the first 20 are used" in said[0]
    assert said[0] == said[1]


def test_two_threads_may_search_at_once() -> None:
    memory, found = runs.PrototypeMemory(most=50), {}

    def search(seed: int) -> None:
        found[seed] = memory.find(ask(start="noise"), runs.Effort(steps=4, seed=seed)).inputs

    threads = [threading.Thread(target=search, args=(seed,)) for seed in (0, 1)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    alone = runs.PrototypeMemory().find(ask(start="noise"), runs.Effort(steps=4, seed=1)).inputs

    assert torch.equal(found[1], alone)
    assert not torch.equal(found[0], found[1])


def test_several_of_a_class_need_a_start_from_noise() -> None:
    with pytest.raises(InvalidInput, match="start from noise"):
        runs.PrototypeMemory().find(ask(), runs.Effort(count=2))


def test_an_expert_that_takes_long_goes_on_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, run = threading.Event(), making.Training.run
    monkeypatch.setattr(
        making.Training, "run", lambda self, *rest: may_end.wait(30) and run(self, *rest)
    )
    memory, asked = runs.PrototypeMemory(most=20), ask("density:hidden=2:epochs=1")
    with pytest.raises(TimeoutError):
        memory.find(asked, runs.Effort(steps=1), patience=0.01)
    may_end.set()
    found = memory.find(asked, runs.Effort(steps=1), patience=30)

    assert len(found) == 2


def test_training_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = making.Training.run
    memory, asked = runs.PrototypeMemory(most=20), ask("density:hidden=2:epochs=1")
    monkeypatch.setattr(making.Training, "run", lambda self, *rest: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        memory.find(asked, runs.Effort(steps=1))
    monkeypatch.setattr(making.Training, "run", run)

    assert len(memory.find(asked, runs.Effort(steps=1))) == 2
