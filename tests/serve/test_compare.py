"""Comparisons over the wire: in steps, bounded, each user's own."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from serving import Client, decoded
from whence import zoo
from whence.serve import Limits, Problem, Settings
from whence.serve import _compare_jobs as jobs_module
from whence.serve._compare_jobs import Jobs
from whence.serve._compare_schemas import AskCompare, CompareAnswer
from whence.serve._desk import Desk
from whence.serve._pool import Pool

DESK = Desk.of(Settings())  # its models are loaded once
QUICK = {"samples": 3, "methods": ["lrp"], "budget_seconds": 60}
LONG = {"samples": 200, "methods": ["lrp", "occlusion"], "budget_seconds": 60}


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of the tests runs in this process."""
    monkeypatch.setattr(jobs_module, "STEP", 0.05)


def whole(client: Client, **asked: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The last answer, and the samples of all of them."""
    found = client.post("api/compare", asked)
    assert found.status == 200, found.body
    answer, samples = found.json, found.json["new"]
    while not answer["finished"]:
        answer = client.post(f"api/compare/{answer['id']}", {}).json
        samples += answer["new"]
    return answer, samples


def with_jobs(work: Callable[[Jobs], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """What `work` gives, in a loop of its own, with the jobs of a server of its own."""
    limits = Limits(comparisons=options.pop("comparisons", 2))

    async def run() -> Any:
        settings = Settings(limits=limits)
        desk = replace(DESK, settings=settings, pool=Pool(limits))
        found = await work(Jobs(desk, **options))
        desk.pool.close()
        return found

    return asyncio.run(run())


def test_an_answer_has_rows_pairs_curves_and_charts(client: Client) -> None:
    answer, samples = whole(client, samples=8, methods=["lrp", "sensitivity"], budget_seconds=60)
    methods = ["lrp", "sensitivity", "random"]

    assert [row["method"] for row in answer["rows"]] == methods
    assert list(answer["curves"]) == methods
    assert [(pair["first"], pair["second"]) for pair in answer["pairs"]] == [
        ("lrp", "sensitivity"),
        ("lrp", "random"),
        ("sensitivity", "random"),
    ]
    assert (answer["done"], answer["asked"], len(samples)) == (8, 8, 8)
    assert answer["progress"].startswith("8 of 8 samples in ")
    assert answer["metric"]["better"] == "larger"
    assert all(row["score"]["low"] <= row["score"]["mean"] for row in answer["rows"])


def test_charts_are_svg_with_the_names_of_methods(client: Client) -> None:
    answer, _ = whole(client, **QUICK)

    for chart in answer["charts"].values():
        assert ElementTree.fromstring(chart).tag == "{http://www.w3.org/2000/svg}svg"
        assert ">lrp<" in chart.replace("> lrp<", ">lrp<")
        assert "<script" not in chart


def test_a_metric_without_curves_has_no_chart_of_them(client: Client) -> None:
    answer, _ = whole(client, **QUICK, metric="effective-size")

    assert answer["curves"] == {}
    assert answer["charts"]["curves"] is None
    assert answer["metric"]["better"] == "smaller"


def test_maps_and_pictures_come_as_numbers(client: Client) -> None:
    name = zoo.dataset("digits").names[3]
    _, (sample,) = whole(client, samples=[name], methods=["lrp"])

    assert sample["name"] == name
    assert sample["label"] == zoo.dataset("digits").classes[int(zoo.dataset("digits").labels[3])]
    assert decoded(sample["picture"]).shape == decoded(sample["relevance"]["lrp"]).shape
    assert np.abs(decoded(sample["relevance"]["lrp"])).max() > 0
    assert decoded(sample["relevance"]["random"]).min() >= 0


def test_metrics_are_listed_with_what_they_say(client: Client) -> None:
    found = client.get("api/compare/metrics").json

    assert found[0]["name"] == "flipping"
    assert {each["better"] for each in found} == {"larger", "smaller"}
    assert all(each["summary"] for each in found)


def test_a_comparison_goes_on_where_it_was(client: Client, short_steps: None) -> None:
    first = client.post("api/compare", LONG).json
    second = client.post(f"api/compare/{first['id']}", {}).json
    client.post(f"api/compare/{first['id']}/stop", {})

    assert second["id"] == first["id"]
    assert second["done"] > first["done"] > 0
    assert second["seconds"] > first["seconds"]
    assert not {each["name"] for each in first["new"]} & {each["name"] for each in second["new"]}


def test_what_is_stopped_answers_once_more_and_is_gone(client: Client, short_steps: None) -> None:
    first = client.post("api/compare", LONG).json
    last = client.post(f"api/compare/{first['id']}/stop", {}).json
    after = client.post(f"api/compare/{first['id']}", {})

    assert last["finished"]
    assert last["done"] == first["done"]
    assert (after.status, after.code) == (404, "unknown_comparison")


def test_the_same_question_gets_the_same_numbers_however_fast_it_goes(client: Client) -> None:
    (one, maps), (other, others) = whole(client, **QUICK), whole(client, **QUICK)
    means = [[row["score"]["mean"] for row in each["rows"]] for each in (one, other)]

    assert one["id"] != other["id"]
    assert one["says"] == other["says"]
    np.testing.assert_allclose(*means, rtol=0, atol=1e-6)  # batches differ, and float32 with them
    for mine, theirs in zip(maps, others, strict=True):
        assert mine["name"] == theirs["name"]
        np.testing.assert_allclose(
            decoded(mine["relevance"]["lrp"]), decoded(theirs["relevance"]["lrp"]), atol=1e-5
        )


# Jobs


def test_nothing_happens_between_requests(short_steps: None) -> None:
    async def work(jobs: Jobs) -> tuple[CompareAnswer, CompareAnswer, float]:
        first = await jobs.begin(AskCompare(**LONG))
        held = jobs._jobs[first.id].held
        await asyncio.sleep(0.2)
        return first, await jobs.stop(first.id), held.spent

    first, last, spent = with_jobs(work)

    assert (last.done, last.seconds) == (first.done, first.seconds)
    assert spent == first.seconds


def test_what_nobody_asks_about_is_dropped(short_steps: None) -> None:
    async def work(jobs: Jobs) -> tuple[int, int, str]:
        first = await jobs.begin(AskCompare(**LONG))
        before = len(jobs)
        await asyncio.sleep(0.3)
        with pytest.raises(Problem) as wrong:
            await jobs.go_on(first.id)
        return before, len(jobs), wrong.value.code

    assert with_jobs(work, idle=0.2) == (1, 0, "unknown_comparison")


def test_more_than_the_limit_are_refused_until_one_is_done(short_steps: None) -> None:
    async def work(jobs: Jobs) -> tuple[str, int, int]:
        one = await jobs.begin(AskCompare(**LONG))
        await jobs.begin(AskCompare(**LONG))
        with pytest.raises(Problem) as wrong:
            await jobs.begin(AskCompare(**QUICK))
        await jobs.stop(one.id)
        await jobs.begin(AskCompare(**QUICK))
        return wrong.value.code, wrong.value.status_code, len(jobs)

    assert with_jobs(work) == ("busy", 503, 2)


def test_finished_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "STEP", 60.0)

    async def work(jobs: Jobs) -> list[bool]:
        return [(await jobs.begin(AskCompare(**QUICK))).finished for _ in range(5)]

    assert with_jobs(work) == [True] * 5


def test_a_crowd_that_begins_at_once_stays_within_the_limit(short_steps: None) -> None:
    async def work(jobs: Jobs) -> tuple[int, int]:
        asked = [jobs.begin(AskCompare(**LONG)) for _ in range(6)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        refused = [each for each in found if isinstance(each, Problem) and each.code == "busy"]
        return len(refused), len(jobs)

    assert with_jobs(work) == (4, 2)


def test_two_requests_for_one_comparison_do_not_work_at_once(short_steps: None) -> None:
    async def work(jobs: Jobs) -> list[str]:
        first = await jobs.begin(AskCompare(**LONG))
        both = [jobs.go_on(first.id), jobs.go_on(first.id)]
        found = await asyncio.gather(*both, return_exceptions=True)
        return [each.code if isinstance(each, Problem) else "answered" for each in found]

    assert with_jobs(work) == ["answered", "busy"]


def test_to_stop_waits_for_the_step_under_way(short_steps: None) -> None:
    async def work(jobs: Jobs) -> tuple[CompareAnswer, CompareAnswer, int]:
        first = await jobs.begin(AskCompare(**LONG))
        last, stopped = await asyncio.gather(jobs.go_on(first.id), jobs.stop(first.id))
        return last, stopped, len(jobs)

    last, stopped, left = with_jobs(work)

    assert (last.finished, stopped.finished, left) == (True, True, 0)
    assert last.done == stopped.done


def test_one_that_takes_too_long_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, short_steps: None
) -> None:
    async def work(jobs: Jobs) -> tuple[str, int]:
        first = await jobs.begin(AskCompare(**LONG))
        monkeypatch.setattr(jobs_module, "_stepped", slow)
        with pytest.raises(Problem) as wrong:
            await jobs.go_on(first.id)
        return wrong.value.code, len(jobs)

    assert with_jobs(work) == ("too_slow", 0)


def slow(number: str, held: Any) -> CompareAnswer:
    raise Problem("too_slow", "The explanation takes longer than 20 seconds.")


def test_an_error_of_the_library_is_told() -> None:
    async def work(jobs: Jobs) -> tuple[str, str]:
        with pytest.raises(Problem) as wrong:
            await jobs.begin(AskCompare(**QUICK, target=99))
        return wrong.value.code, wrong.value.message

    code, message = with_jobs(work)
    assert code == "unknown_class"
    assert "99" in message
