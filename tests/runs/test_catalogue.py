import re

import pytest

from whence import metrics
from whence._references import REFERENCES
from whence.explainers import methods, presets
from whence.runs import Line, catalogue
from whence.runs._catalogue import short_reference

LINES = [pytest.param(line, id=line.name) for kind in catalogue().values() for line in kind]


@pytest.mark.parametrize("line", LINES)
def test_every_entry_says_what_it_is(line: Line) -> None:
    assert len(line.summary) > 20
    assert "[" not in line.summary.replace("1[x", "")


WITH_PAPERS = [line for kind in ("methods", "rules", "metrics") for line in catalogue()[kind]]


@pytest.mark.parametrize("line", WITH_PAPERS)
def test_every_method_rule_and_metric_has_a_paper(line: Line) -> None:
    assert line.papers


def test_all_methods_composites_and_metrics_are_listed() -> None:
    found = catalogue()

    assert [line.name for line in found["methods"]] == methods()
    assert [line.name for line in found["composites"]] == presets()
    assert [line.name for line in found["metrics"]] == metrics.names()


@pytest.mark.parametrize(
    ("key", "short"),
    [
        ("bach2015", "Bach et al. 2015"),
        ("zeiler2014", "Zeiler & Fergus 2014"),
        ("achtibat2023", "Achtibat et al. 2023"),
    ],
)
def test_papers_are_cited_in_short(key: str, short: str) -> None:
    assert short_reference(key) == short


@pytest.mark.parametrize("key", sorted(set(REFERENCES) - {"whence"}))
def test_the_short_form_agrees_with_the_key(key: str) -> None:
    short = short_reference(key)

    second_in_a_year = re.sub(r"(?<=\d)[a-z]$", "", key)
    written_out = short.split()[0].lower().replace("ü", "ue")
    assert second_in_a_year == written_out + short.split()[-1]
