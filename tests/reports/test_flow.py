"""The flow of a ledger in reports: recorded as numbers, drawn on the page."""

import re
from pathlib import Path

from torch import Tensor, nn

import whence
from whence import reports, targets, viz
from whence._flow import Flow
from whence.runs import ask, explain_pictures, find_subjects


def page(tmp_path: Path, ex: whence.Explanation, net: nn.Module) -> str:
    path, _ = reports.write(ex, tmp_path / "report.html", net)
    return path.read_text(encoding="utf-8")


def test_a_followed_ledger_is_drawn_in_the_appendix(
    net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    ex = whence.explain(net, images, 3, ledger="flow")
    text = page(tmp_path, ex, net)
    expected = re.findall(r'points="([^"]+)"', viz.flow_svg(ex.ledger.flow()))

    assert text.count('<svg class="flow"') == 1
    assert text.index("Appendix") < text.index('<svg class="flow"')
    assert re.findall(r'points="([^"]+)"', text) == expected
    assert expected


def test_each_target_has_a_diagram_of_its_own_name(
    net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    ex = whence.explain(net, images, targets.Each([0, 3]), ledger="flow")
    names = re.findall(r'aria-labelledby="(flow-\w+)-title', page(tmp_path, ex, net))

    assert len(names) == len(set(names)) == 2


def test_a_ledger_that_was_not_followed_is_a_table_only(
    net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    assert "<svg" not in page(tmp_path, whence.explain(net, images, 3), net)


def test_the_record_holds_the_flow(net: nn.Module, images: Tensor, tmp_path: Path) -> None:
    ex = whence.explain(net, images, 3, ledger="flow")
    kept = reports.record_of(ex, net).save(tmp_path / "record.json")
    (ledger,) = reports.read(kept).body["ledger"]

    assert Flow.of_record(ledger["flow"]) == ex.ledger.flow()


def test_names_of_modules_are_escaped(images: Tensor, tmp_path: Path) -> None:
    net = nn.Sequential()
    net.add_module("<script>x</script>", nn.Flatten())
    net.add_module("b", nn.Linear(36, 2))
    text = page(tmp_path, whence.explain(net.double(), images, 0, ledger="flow"), net)

    assert "<script>" not in text
    assert '<svg class="flow"' in text


def test_a_run_of_explanations_shows_where_relevance_went(tmp_path: Path) -> None:
    question = ask("digits-mlp", ["lrp", "sensitivity"])
    (answer,) = explain_pictures(find_subjects("digits:0"), question, tmp_path)
    path, _ = reports.write_run(tmp_path)

    assert [each["flow"] is not None for each in answer.records] == [True, False]
    assert path.read_text(encoding="utf-8").count('<svg class="flow"') == 1
