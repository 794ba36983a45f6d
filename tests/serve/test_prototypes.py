"""Prototypes over the wire: galleries, how real they are, and what may be asked."""

import base64
import io
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import whence
from serving import Client, decoded, server
from whence import runs, zoo
from whence.prototypes import L2, Mean
from whence.serve import Limits, Settings
from whence.serve._prototype_desk import Galleries
from whence.serve._prototype_making import make, seek
from whence.serve._prototype_reality import usual_distance
from whence.serve._prototype_schemas import AskPrototypes, Gallery
from whence.serve._schemas import Numbers

NET = zoo.model("digits-mlp")
HELD_OUT = zoo.dataset("digits")
QUICK = {"model": "digits-mlp", "classes": [3, 8], "steps": 5}
TICKET = "a-word-of-mine"


def found(client: Client, **more: Any) -> Any:
    reply = client.post("api/prototypes", QUICK | more)
    assert reply.status == 200, reply.body
    return reply.json


def pixels(item: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(item["png"]))))


def test_they_are_those_of_maximize(client: Client) -> None:
    train = zoo.dataset("digits", split="train")
    inputs = torch.cat([NET.preprocess(train[k].image) for k in range(len(train))])
    there = whence.maximize(
        NET.module,
        [3, 8],
        start=Mean(inputs),
        prior=L2(0.06, inputs.mean(0)),
        box=(0.0, 1.0),
        steps=5,
        rate=0.02,
        schedule="cosine",
    )
    here = found(client, prior="l2", strength=3)

    np.testing.assert_array_equal(decoded(here["inputs"]), there.inputs.numpy())
    assert [each["objective"] for each in here["prototypes"]] == there.objective.tolist()
    assert [each["prior"] for each in here["prototypes"]] == there.prior.tolist()


def test_scores_and_probabilities_are_those_of_the_model(client: Client) -> None:
    here = found(client, prior="generator")
    inputs = torch.from_numpy(decoded(here["inputs"]).copy())
    scores = NET.module(inputs).detach().double()
    own = scores[[0, 1], [3, 8]]
    shares = scores.softmax(1)[[0, 1], [3, 8]]

    np.testing.assert_allclose([each["score"] for each in here["prototypes"]], own, rtol=1e-5)
    np.testing.assert_allclose(
        [each["probability"] for each in here["prototypes"]], shares, rtol=1e-5
    )
    assert [each["read_as"]["index"] for each in here["prototypes"]] == scores.argmax(1).tolist()


def test_the_nearest_real_picture_is_found_by_looking_at_all(client: Client) -> None:
    here = found(client)
    seen = [NET.preprocess(HELD_OUT[k].image).double().numpy() for k in range(len(HELD_OUT))]
    inputs = decoded(here["inputs"]).astype(np.float64)
    apart = np.array([[np.sqrt(((x - h) ** 2).sum()) for h in seen] for x in inputs])
    nearest = [each["nearest"] for each in here["prototypes"]]
    items = [HELD_OUT[int(k)] for k in apart.argmin(1)]

    np.testing.assert_allclose([each["distance"] for each in nearest], apart.min(1), rtol=1e-5)
    assert [each["name"] for each in nearest] == [item.name for item in items]
    assert [each["label"] for each in nearest] == [str(item.label) for item in items]
    assert here["reality"]["pictures"] == len(HELD_OUT)


def test_the_usual_distance_by_hand() -> None:
    # on a line at 0, 1, 3, 7: the nearest other one is 1, 1, 2 and 4 away; the median is 3/2
    line = torch.tensor([0.0, 1.0, 3.0, 7.0]).view(4, 1, 1, 1)

    assert usual_distance(line) == 1.5
    assert usual_distance(line[:1]) == 0.0


def test_the_picture_is_the_input_in_bytes(client: Client) -> None:
    here = found(client)
    inputs = decoded(here["inputs"])  # this model takes pixels from 0 to 1 as they are

    shown = np.stack([pixels(each) for each in here["prototypes"]])
    np.testing.assert_array_equal(shown, np.rint(inputs[:, 0] * 255))


def test_the_same_question_is_remembered_and_another_is_not(client: Client) -> None:
    first, again = found(client, seed=41), found(client, seed=41, seconds=3)
    other = found(client, seed=41, strength=2)

    assert (first["remembered"], again["remembered"], other["remembered"]) == (False, True, False)
    assert first == again | {"remembered": False}


def test_several_of_a_class_differ(client: Client) -> None:
    here = found(client, classes=["3"], count=3, steps=2)
    inputs = decoded(here["inputs"])

    assert here["start"] == "noise"
    assert [each["target"]["name"] for each in here["prototypes"]] == ["3"] * 3
    assert len(np.unique(inputs.reshape(3, -1), axis=0)) == 3


def test_the_command_finds_the_same(client: Client, tmp_path: Path) -> None:
    here = found(client, prior="tv", strength=2, start="noise", seed=5)
    words = here["command"].split()
    given = dict(zip(words[2::2], words[3::2], strict=True))
    search = runs.ask_prototypes(
        given["--model"], given["--target"], priors=[given["--prior"]], start=given["--start"]
    )
    there = runs.find_prototypes(
        search, tmp_path, steps=int(given["--steps"]), seed=int(given["--seed"])
    )

    np.testing.assert_array_equal(decoded(here["inputs"]), there.prototypes.inputs.numpy())


def test_a_search_ends_with_its_time(client: Client) -> None:
    began = time.monotonic()
    here = found(client, classes=None, steps=1000, seconds=0.1)

    assert time.monotonic() - began < 10
    assert not here["finished"]
    assert len(here["prototypes"]) == 10
    assert any("of 1000 steps" in note for note in here["notes"])


def test_what_was_not_finished_is_not_remembered(client: Client) -> None:
    again = [found(client, classes=[1], steps=999, seconds=0.1) for _ in range(2)]

    assert [each["remembered"] for each in again] == [False, False]


@pytest.fixture
def searching(address: str) -> Iterator[dict[str, Any]]:
    """A long search that is under way, and what comes of it."""
    made: dict[str, Any] = {}
    client = Client(address)

    def search() -> None:
        asked = {"model": "digits-cnn", "steps": 1000, "seconds": 15, "ticket": TICKET}
        made["reply"] = client.post("api/prototypes", asked)

    made["thread"] = threading.Thread(target=search)
    made["thread"].start()
    yield made
    made["thread"].join(30)
    client.close()


def wait_for_steps(client: Client) -> Any:
    for _ in range(200):
        now = client.get(f"api/prototypes/progress?ticket={TICKET}").json
        if now["step"] > 0:
            return now
        time.sleep(0.05)
    raise AssertionError("the search did not begin")


def test_a_search_can_be_followed_and_stopped(client: Client, searching: dict[str, Any]) -> None:
    seen = wait_for_steps(client)
    twice = client.post("api/prototypes", QUICK | {"ticket": TICKET, "seed": 77})
    told = client.post("api/prototypes/stop", {"ticket": TICKET}).json
    searching["thread"].join(30)
    here = searching["reply"].json
    after = client.get(f"api/prototypes/progress?ticket={TICKET}").json

    assert (seen["running"], seen["steps"]) == (True, 1000)
    assert seen["objective"] < 0
    assert twice.code == "bad_field"
    assert told == {"stopped": True}
    assert not here["finished"]
    assert 0 < here["prototypes"][0]["steps"] < 1000
    assert not after["running"]


def test_drawings_are_answered_while_a_search_runs(
    client: Client, searching: dict[str, Any]
) -> None:
    wait_for_steps(client)
    asked = {"pixels": base64.b64encode(bytes(range(64))).decode()}
    statuses = [client.post("api/explain/digit", asked).status for _ in range(5)]
    still = client.post("api/prototypes/stop", {"ticket": TICKET}).json

    assert statuses == [200] * 5
    assert still == {"stopped": True}


def test_a_search_nobody_waits_for_ends(address: str, client: Client) -> None:
    gone = Client(address)
    gone._connection.timeout = 1.5
    asked = {"model": "digits-cnn", "steps": 1000, "seconds": 15, "ticket": "gone-away"}
    with pytest.raises(TimeoutError):
        gone.post("api/prototypes", asked | {"seed": 3, "start": "noise"})

    assert seconds_until_over(client, "gone-away") < 8


def seconds_until_over(client: Client, ticket: str) -> float:
    began = time.monotonic()
    while client.get(f"api/prototypes/progress?ticket={ticket}").json["running"]:
        time.sleep(0.1)
    return time.monotonic() - began


def test_a_stranger_cannot_stop_what_he_does_not_know(client: Client) -> None:
    told = client.post("api/prototypes/stop", {"ticket": "some-other-word"})

    assert told.json == {"stopped": False}


@pytest.mark.parametrize(
    ("model", "priors", "starts"),
    [
        ("digits-cnn", ["none", "l2", "tv", "density", "generator"], ["noise", "mean"]),
        ("digits-mlp", ["none", "l2", "tv", "density", "generator"], ["noise", "mean"]),
    ],
)
def test_choices_are_what_a_model_can_have(
    client: Client, model: str, priors: list[str], starts: list[str]
) -> None:
    can = client.get(f"api/prototypes/choices?model={model}").json

    assert [each["name"] for each in can["priors"]] == priors
    assert can["starts"] == [*starts, "class-means"]
    assert can["data"] == "digits/test"
    assert can["most"] == 60


def test_an_input_is_explained_exactly_as_it_is(client: Client) -> None:
    here = found(client)
    _, *shape = here["inputs"]["shape"]
    one = decoded(here["inputs"])[:1]
    data = base64.b64encode(one.astype("<f4").tobytes()).decode()
    asked = {"model": "digits-mlp", "input": {"shape": shape, "data": data}, "target": 3}
    answer = client.post("api/explain/input", asked).json
    there = whence.explain(NET.module, torch.from_numpy(one.copy()), 3)

    np.testing.assert_array_equal(decoded(answer["relevance"]), there.relevance[0, 0].numpy())
    assert answer["score"] == float(there.score[0])
    assert answer["score"] == pytest.approx(here["prototypes"][0]["score"], rel=1e-6)


@pytest.mark.parametrize("prior", ["none", "generator"])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt, RuntimeError])
def test_a_model_is_left_as_it_was(prior: Any, error: type[BaseException] | None) -> None:
    net = zoo.model("digits-mlp")
    before = state_of(net.module)
    asked = {"model": net.name, "classes": [3], "prior": prior, "steps": 4}
    sought = seek(net, AskPrototypes.model_validate(asked), None)

    def told(step: int, objective: Any, prior: Any) -> None:
        if error is not None and step == 2:
            raise error

    fails = pytest.raises(RuntimeError) if error is RuntimeError else nullcontext()
    with fails:
        make(sought, runs.PrototypeMemory(most=20), None, told)

    assert state_of(net.module) == before


def state_of(module: nn.Module) -> list[Any]:
    """All that a search could have changed."""
    parts = list(module.modules())
    return [
        [(name, value.tolist()) for name, value in module.state_dict().items()],
        [(each.requires_grad, each.grad) for each in module.parameters()],
        [each.training for each in parts],
        [(len(each._forward_hooks), len(each._forward_pre_hooks)) for each in parts],
        [list(vars(each)) for each in parts],
    ]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["digits-cnn", "lenet5-mnist"])
def test_a_density_is_learnt_once_and_then_there(data: Path, model: str) -> None:
    with server(Settings(port=0, root=data)) as address:
        client = Client(address)
        asked = {"model": model, "prior": "density", "classes": [3]}
        replies = [client.post("api/prototypes", asked) for _ in range(4)]
        client.close()
    here = replies[-1]

    assert {each.code for each in replies} <= {None, "busy"}  # busy: the machine is slow
    assert here.status == 200
    assert here.json["prototypes"][0]["read_as"]["name"] == "3"


def test_a_large_picture_is_made_of_frequencies(data: Path) -> None:
    with server(Settings(port=0, root=data)) as address:
        client = Client(address)
        asked = {"model": "squeezenet-imagenet", "classes": ["zebra"], "steps": 2, "prior": "tv"}
        here = client.post("api/prototypes", asked).json
        many = client.post("api/prototypes", asked | {"classes": [1, 2, 3, 4, 5]})
        unfit = client.post("api/prototypes", asked | {"prior": "generator"})
        client.close()

    assert here["form"] == "fourier"
    assert here["prototypes"][0]["target"]["name"] == "zebra"
    assert decoded(here["inputs"]).shape == (1, 3, 227, 227)
    assert many.code == "too_many_prototypes"
    assert unfit.code == "no_prototype"


def remembered(number: int, letters: int = 1) -> Gallery:
    """A gallery of a number, with so many letters of numbers."""
    numbers = Numbers.model_construct(shape=[0], data="x" * letters)
    return Gallery.model_construct(inputs=numbers, prototypes=[], seed=number)


def test_few_galleries_are_remembered() -> None:
    galleries = Galleries()
    [galleries._keep(f"{number}", remembered(number)) for number in range(1000)]

    assert list(galleries._remembered) == [f"{number}" for number in range(1000 - 32, 1000)]


def test_large_galleries_push_out_others() -> None:
    galleries = Galleries()
    [galleries._keep(f"{number}", remembered(number, 10_000_000)) for number in range(9)]

    assert list(galleries._remembered) == ["6", "7", "8"]


def test_searches_beyond_the_limit_are_told_to_come_back(tmp_path: Path) -> None:
    limits = Limits(waiting=1)
    with server(Settings(port=0, root=tmp_path, limits=limits)) as address:
        first, second = Client(address), Client(address)
        long = {"model": "digits-cnn", "steps": 1000, "seconds": 15, "ticket": TICKET}
        thread = threading.Thread(target=first.post, args=("api/prototypes", long))
        thread.start()
        wait_for_steps(second)
        reply = second.post("api/prototypes", QUICK)
        second.post("api/prototypes/stop", {"ticket": TICKET})
        thread.join(30)
        again = second.post("api/prototypes", QUICK)
        first.close()
        second.close()

    assert (reply.status, reply.code) == (503, "busy")
    assert reply.headers["retry-after"] == "1"
    assert again.status == 200


def test_a_search_leaves_time_for_its_answer(tmp_path: Path) -> None:
    with server(Settings(port=0, root=tmp_path, limits=Limits(seconds=6.0))) as address:
        client = Client(address)
        here = client.post("api/prototypes", {"model": "digits-cnn", "steps": 1000, "seconds": 15})
        client.close()

    assert here.status == 200
    assert not here.json["finished"]
