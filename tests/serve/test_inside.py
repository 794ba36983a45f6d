"""The page "Inside": operations, their lines in the ledger, and the flow between them."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
import torch

from serving import Client, decoded, ink
from whence import viz, zoo
from whence.explainers import LRP
from whence.serve._inside import with_ledgers

SAMPLE = zoo.dataset("digits")[0].name
ASK = {"model": "digits-cnn", "sample": SAMPLE, "target": 3}
TEXT = "A warm and clever film."


def asked(client: Client, **fields: Any) -> Any:
    found = client.post("api/inside", ASK | fields)

    assert found.status == 200, found.body[:500]
    return found.json


def seen(net: zoo.Model) -> torch.Tensor:
    return net.preprocess(zoo.dataset("digits")[0].image[None])


def test_the_operations_are_those_of_the_printed_assignment(client: Client) -> None:
    net = zoo.model("digits-cnn")
    expected = [(op, path, rule) for op, path, rule, _ in LRP(net.module).assignment(seen(net), 3)]
    found = asked(client)["operations"]

    assert [(each["name"], each["path"], each["rule"]) for each in found] == expected


def test_the_numbers_are_those_of_the_ledger(client: Client) -> None:
    net = zoo.model("digits-cnn")
    ledger = LRP(net.module).explain(seen(net), 3, ledger="full").ledger
    found = asked(client)["operations"]

    assert [each["received"] for each in found] == pytest.approx(
        [row["r_out"] for row in ledger.to_rows()], rel=1e-5
    )
    assert [each["passed"] for each in found] == pytest.approx(
        [row["r_in"] for row in ledger.to_rows()], rel=1e-5
    )


@pytest.mark.parametrize("fields", [{}, {"against": 9}, {"composite": "epsilon-plus"}])
def test_every_operation_balances(client: Client, fields: dict[str, Any]) -> None:
    found = asked(client, **fields)
    rests = [
        each["received"] - each["passed"] - sum(each["lost"].values())
        for each in found["operations"]
    ]

    np.testing.assert_allclose(rests, 0, atol=1e-5 * max(1, abs(found["score"])))


def test_the_streams_begin_with_the_score_and_end_at_the_input(client: Client) -> None:
    found = asked(client)
    last = len(found["stations"]) - 1
    first, arrived = (
        sum(s["positive"] + s["negative"] for s in found["streams"] if s[end] == station)
        for end, station in (("above", 0), ("below", last))
    )

    assert first == pytest.approx(found["score"])
    assert arrived == pytest.approx(found["arrived"], rel=1e-5)


def test_the_diagram_is_the_drawing_of_the_library(client: Client) -> None:
    net = zoo.model("digits-cnn")
    ledger = LRP(net.module).explain(seen(net), 3, ledger="flow").ledger
    svg = viz.flow_svg(ledger.flow(), width=500, name="flow-figure")
    shapes = re.findall(r'points="([^"]+)"', svg)
    found = re.findall(r'points="([^"]+)"', asked(client, width=500)["svg"])

    assert len(found) == len(shapes) > 10
    np.testing.assert_allclose(corners(found), corners(shapes), atol=0.2)


def corners(shapes: list[str]) -> np.ndarray:
    return np.array([float(x) for each in shapes for x in re.split("[ ,]", each)])


def test_maps_are_the_relevance_at_the_modules(client: Client) -> None:
    net = zoo.model("digits-cnn")
    ex = LRP(net.module).explain(seen(net), 3, taps=["features.3"])
    stations = {each["path"] or each["name"]: each for each in asked(client)["stations"]}

    np.testing.assert_allclose(
        decoded(stations["features.3"]["map"]), ex.at("features.3")[0].sum(0).numpy(), atol=1e-5
    )
    np.testing.assert_allclose(
        decoded(stations["input"]["map"]), ex.relevance[0].sum(0).numpy(), atol=1e-5
    )


def test_rules_come_with_equation_and_papers(client: Client) -> None:
    rules = {each["name"]: each for each in asked(client)["rules"]}

    assert set(rules) == {"Epsilon", "Flat", "ZPlus"}
    assert rules["ZPlus"]["equation"].startswith("R_i = sum_j")
    assert "Montavon" in rules["ZPlus"]["papers"]


def test_a_text_has_operations_and_a_flow_but_no_maps(client: Client) -> None:
    found = client.post("api/inside", {"model": "sst-lstm", "text": TEXT}).json

    assert {"lstm", "embedding", "linear"} <= {each["name"] for each in found["operations"]}
    assert "RecurrentCell" in {each["name"] for each in found["rules"]}
    assert [each["map"] for each in found["stations"] if each["map"]] == []
    assert ElementTree.fromstring(found["svg"]).get("role") == "img"


def test_a_drawing_is_explained_as_the_drawing_page_does(client: Client) -> None:
    drawing = {"model": "digits-cnn", "pixels": ink(3), "target": 3}
    found = client.post("api/inside", drawing).json
    page = client.post("api/explain/digit", drawing).json

    assert found["score"] == pytest.approx(page["score"], rel=1e-5)


def test_fewer_stations_hold_the_same_operations(client: Client) -> None:
    found = asked(client, stations=5)
    rows = [row for each in found["stations"] for row in each["operations"]]

    assert len(found["stations"]) <= 5
    assert rows == list(range(len(found["operations"])))
    assert [found["stations"][each["station"]] for each in found["operations"]]


def test_no_folder_of_the_server_is_told(client: Client) -> None:
    assert all("/" not in each["source"] for each in asked(client)["operations"])


@pytest.mark.parametrize("method", with_ledgers())
def test_methods_with_a_ledger_are_answered_or_refused_plainly(client: Client, method: str) -> None:
    found = client.post("api/inside", ASK | {"method": method})

    assert found.status in (200, 422, 503)
    assert found.status == 200 or found.code in ("not_explained", "not_available")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"method": "sensitivity"}, "not_explained"),
        ({"sample": None}, "bad_field"),
        ({"text": "both"}, "bad_field"),
        ({"sample": "../x"}, "unknown_sample"),
        ({"sample": None, "text": "a text"}, "wrong_kind"),
        ({"model": "sst-lstm", "sample": None, "pixels": ink(3)}, "wrong_kind"),
        ({"width": 10**9}, "bad_field"),
        ({"stations": 3}, "bad_field"),
        ({"stations": 10**9}, "bad_field"),
        ({"target": 10}, "unknown_class"),
        ({"model": "no-such"}, "unknown_model"),
        ({"more": 1}, "bad_field"),
    ],
)
def test_what_is_wrong_is_said(client: Client, fields: dict[str, Any], code: str) -> None:
    assert client.post("api/inside", ASK | fields).code == code


def test_the_page_offers_what_keeps_a_ledger(client: Client) -> None:
    page = client.get("inside", Accept="text/html").body.decode()
    offered = re.findall(
        r'<option value="([\w-]+)"', page.split('id="method"')[1].split("</sel")[0]
    )

    assert offered == with_ledgers()
    assert "<svg" not in page


def test_without_scripts_the_page_shows_diagram_and_tables(client: Client) -> None:
    address = f"inside?model=digits-cnn&sample={SAMPLE}&target=3&against=9"
    found = client.get(address, Accept="text/html")
    page = found.body.decode()

    assert found.status == 200
    assert "Where the score for 3 rather than 9 went" in page
    assert page.count('<svg class="flow"') == 1
    assert page.count("<tr>") > 12
    assert '<option value="digits-cnn" ' in page
    assert 'value="3"' in page


@pytest.mark.parametrize("query", ["stations=3", "stations=x", "nonsense=1", "model=no-such"])
def test_a_wrong_address_gets_a_page_that_says_so(client: Client, query: str) -> None:
    found = client.get(f"inside?{query}", Accept="text/html")

    assert found.status in (404, 422)
    assert "text/html" in found.headers["content-type"]


def test_a_text_in_the_address_is_escaped(client: Client) -> None:
    text = "</textarea><script>alert(1)</script> good film"
    found = client.ask("GET", f"inside?model=sst-lstm&text={text.replace(' ', '%20')}")

    assert found.status == 200
    assert b"<script>alert" not in found.body
