"""Every error a user meets on purpose can be caught by a name in `whence.errors`."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import whence
from whence import errors

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "whence"
# Other errors, and why they may be raised where they are.
OTHERS = {
    "AssertionError": {"testing"},  # a contract that does not hold, as pytest shows it
    "AttributeError": {"__init__.py", "engine"},  # what Python asks of __getattr__
    "BadParameter": {"cli"},  # typer prints it beside the option
    "Exit": {"cli"},  # the exit code
    "IndexError": {"zoo"},  # ends a loop over a data set
    "Problem": {"serve"},  # an answer of the server
    "RuntimeError": {"engine"},  # a fault of ours that no call is known to meet
    "ValueError": {"explainers", "reports", "serve"},  # caught in the same file
    "_Expected": {"testing"},  # the same
    "_Unreadable": {"runs"},  # the same
}


def raised() -> set[tuple[str, str]]:
    """(class, part of whence) for each `raise` of a new error."""
    files = [(path.relative_to(SOURCE).parts[0], tree(path)) for path in SOURCE.rglob("*.py")]
    # A function that makes errors, such as `no_download(...) -> NotAvailable`, stands for a class.
    makers = {
        (part, node.name): ast.unparse(node.returns)
        for part, file in files
        for node in ast.walk(file)
        if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name)
    }
    calls = [
        (ast.unparse(node.exc.func).split(".")[-1], part)
        for part, file in files
        for node in ast.walk(file)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]
    return {(makers.get((part, name), name), part) for name, part in calls}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_what_is_raised_is_public() -> None:
    foreign = {(name, part) for name, part in raised() if name not in errors.__all__}

    assert {each for each in foreign if each[1] not in OTHERS.get(each[0], ())} == set()


def test_every_public_error_is_raised_somewhere() -> None:
    assert set(errors.__all__) - {name for name, _ in raised()} == set()


def test_all_errors_have_one_base() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]

    assert all(issubclass(each, errors.WhenceError) for each in classes)


def test_the_drawing_of_the_errors_is_the_tree() -> None:
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)", (errors.__doc__ or "").partition("\n\n")[2], re.M)

    assert sorted(drawn) == errors.__all__


class Numpy(nn.Module):
    """Leaves torch in the middle, where nothing can follow it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy((2 * x).numpy()) @ torch.ones(3, 2)


def unknown_class() -> None:
    whence.explain(nn.Linear(3, 2), torch.ones(1, 3), target=7)


def no_data(folder: Path) -> None:
    whence.zoo.model("squeezenet-imagenet", folder)


def complex_numbers() -> None:
    whence.explain(lambda x: torch.fft.fft(x).abs(), torch.ones(1, 3))


def around_the_recording() -> None:
    whence.explain(Numpy(), torch.ones(1, 3))


def no_rule() -> None:
    whence.explain(nn.Linear(3, 2), torch.ones(1, 3), composite=whence.composites.Composite([]))


def a_tampered_book() -> None:
    explained = whence.explain(nn.Linear(3, 2), torch.ones(1, 3))
    explained.ledger.rows[0].r_in += 1
    explained.ledger.check()


def infinite_slope() -> None:
    whence.maximize(lambda x: x.sqrt(), 0, start=torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (unknown_class, "InvalidInput"),
        (complex_numbers, "UnsupportedModel"),
        (around_the_recording, "UntrackedTensor"),
        (no_rule, "UnsupportedOperations"),
        (a_tampered_book, "NotConserved"),
        (infinite_slope, "Diverged"),
    ],
)
def test_a_user_can_catch_it_by_its_public_name(call: Callable[[], None], name: str) -> None:
    with pytest.raises(errors.WhenceError) as caught:
        call()

    assert type(caught.value) is getattr(errors, name)


def test_absent_data_can_be_caught_by_name(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAvailable, match="squeezenet"):
        no_data(tmp_path)
