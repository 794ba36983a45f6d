"""What `whence maximize` is asked, in the words of the command line; checked before any work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from whence import zoo
from whence.errors import InvalidInput
from whence.explainers._suggest import suggestion
from whence.prototypes import Channel, Logit, LogProbability, Objective
from whence.prototypes import Transformation as Change
from whence.runs._prototype_words import read_box, read_changes, read_priors
from whence.runs._question import find_class
from whence.runs._subjects import find_subjects
from whence.zoo import Autoencoder, Dataset, ImageInput, Model

FORMS = ("pixels", "fourier")
_LARGE = 64  # from this many pixels a side, pictures are made of frequencies by default


@dataclass(frozen=True, eq=False)
class Search:
    """What is looked for, and within which limits; made by `ask_prototypes`.

    classes: one prototype for each; None for a unit. generator: of
    inputs, where the priors ask for one. priors: name -> options. start: the word for
    it; picture: (1, ...) where it is one. box: shares of the range from black to white, or None.
    """

    net: Model
    preprocess: ImageInput
    objective: Objective
    classes: tuple[int, ...] | None
    unit: str
    priors: dict[str, dict[str, Any]]
    start: str
    picture: Tensor | None
    form: str
    generator: Autoencoder | None
    changes: tuple[Change, ...]
    box: tuple[float, float] | None
    data: str | None
    root: str | Path | None

    @property
    def in_words(self) -> str:
        """The priors, for a title."""
        return f"prior {' + '.join(self.priors)}" if self.priors else "no prior"


def ask_prototypes(
    model: str | Model,
    target: str | None = None,
    *,
    unit: str | None = None,
    objective: str = "log-probability",
    priors: Sequence[str] = (),
    start: str | None = None,
    form: str | None = None,
    transform: str | None = None,
    box: str = "valid",
    data: str | None = None,
    root: str | Path | None = None,
) -> Search:
    """Load the model, unless one is given, and check everything that is asked of it.

    target: classes by number or name with commas between, or "all". unit: MODULE:CHANNEL instead
    of classes. objective: "log-probability" or "logit". priors: see above. start: "noise", "mean",
    "class-means", or a picture as `find_subjects` spells it. form: "pixels" or "fourier".
    transform: names with commas, or "none". box: "valid", "none" or two shares of the range. data:
    a data set for means and densities.
    """
    wanted = read_priors(priors)
    net = model if isinstance(model, Model) else zoo.model(model, root)
    if not isinstance(net.preprocess, ImageInput):
        raise InvalidInput(f"{net.name} does not take pictures. `whence models` lists others.")
    classes = None if target is None else _classes(net, target)
    chosen = _form(form, net, wanted)
    known = data or zoo.data_of(net.name)
    if "l2" in wanted:
        wanted["l2"].setdefault("around", "zero" if known is None else "mean")
    begun, picture = _start(start or _usual(net, wanted, classes, known), net, root)
    _check_needs(begun, wanted, classes, known, net)
    return Search(
        net=net,
        preprocess=net.preprocess,
        objective=_objective(objective, classes, unit),
        classes=classes,
        unit=unit or "",
        priors=wanted,
        start=begun,
        picture=picture,
        form=chosen,
        generator=_generator(net, wanted["generator"], root) if "generator" in wanted else None,
        changes=read_changes(transform, chosen, net),
        box=read_box(box),
        data=known,
        root=root,
    )


def _classes(net: Model, target: str) -> tuple[int, ...]:
    if target.strip() == "all":
        return tuple(range(len(net.classes)))
    names = [each for each in target.split(",") if each.strip()]
    if not names:
        raise InvalidInput("Name at least one class, such as --target 3, or all.")
    return tuple(dict.fromkeys(find_class(net, each) for each in names))


def _objective(name: str, classes: tuple[int, ...] | None, unit: str | None) -> Objective:
    if (classes is None) == (unit is None):
        raise InvalidInput("Say what to look for: either classes (target) or one unit.")
    kinds: dict[str, Callable[[Any], Objective]] = {
        "log-probability": LogProbability,
        "logit": Logit,
    }
    if name not in kinds:
        raise InvalidInput(
            f"There is no objective {name!r}.{suggestion(name, list(kinds))} "
            f"Known: {', '.join(kinds)}."
        )
    if classes is not None:
        return kinds[name](classes)
    module, colon, channel = (unit or "").rpartition(":")
    if not colon or not channel.isdecimal():
        raise InvalidInput(f"A unit is written MODULE:CHANNEL, as in features.3:7; got {unit!r}.")
    return Channel(module, int(channel))


def _form(form: str | None, net: Model, priors: dict[str, dict[str, Any]]) -> str:
    if "generator" in priors:
        if form is not None:
            raise InvalidInput("A generator makes the pictures itself: leave --form out.")
        return "generator"
    if form is None:
        return "fourier" if min(net.input_shape[1:]) >= _LARGE else "pixels"
    if form not in FORMS:
        raise InvalidInput(f"Pictures are made of {' or '.join(FORMS)}, got {form!r}.")
    return form


def _generator(net: Model, options: dict[str, Any], root: str | Path | None) -> Autoencoder:
    """The generator of what this model sees."""
    name = options.get("name")
    made = [zoo.generator(each, root) for each in ([name] if name else zoo.generators())]
    for each in made:
        if each.fits(net):
            return each
    raise InvalidInput(
        f"A generator must make what {net!r} takes, and {', '.join(map(repr, made))} "
        "does not. In Python any decoder will do: whence.prototypes.Generator(decoder, code_shape)."
    )


def _usual(
    net: Model, priors: dict[str, Any], classes: tuple[int, ...] | None, data: str | None
) -> str:
    """Where to begin when nothing is said: as the tutorial does, where there are data for it."""
    if data is None or min(net.input_shape[1:]) >= _LARGE:
        return "noise"
    connected = "density" in priors or "generator" in priors
    return "class-means" if connected and classes is not None else "mean"


def _start(start: str, net: Model, root: str | Path | None) -> tuple[str, Tensor | None]:
    if start in ("noise", "mean", "class-means"):
        return start, None
    subjects = find_subjects(start, root=root)
    if len(subjects) != 1:
        raise InvalidInput(
            f"A start is one picture, such as digits:12 or cat.jpg; {start} holds {len(subjects)}."
        )
    return start, net.preprocess(subjects[0].load())


def _check_needs(
    start: str,
    priors: dict[str, dict[str, Any]],
    classes: tuple[int, ...] | None,
    data: str | None,
    net: Model,
) -> None:
    """Means and densities need data, class means also classes."""
    needs = [each for each in ("mean", "class-means") if each == start]
    needs += ["density"] if "density" in priors else []
    if needs and data is None:
        raise InvalidInput(
            f"{needs[0]} needs pictures to learn from, and none are known for {net.name}. Name a "
            "data set with --data."
        )
    if start == "class-means" and classes is None:
        raise InvalidInput("class-means needs classes; a unit has none. Start from mean or noise.")
    around = priors.get("l2", {}).get("around", "zero")
    if around not in ("zero", "mean") or (around == "mean" and data is None):
        raise InvalidInput(f"around is zero, or mean where there are data; got {around!r}.")


def read_data(search: Search) -> Dataset:
    """The pictures that means and densities are learnt from."""
    found: Any = zoo.dataset(search.data or "", search.root, "train")
    if isinstance(found, zoo.Texts):
        raise InvalidInput(f"{search.data} must be a data set of pictures, got one of texts.")
    if search.start == "class-means" and len(found.classes) != len(search.net.classes):
        raise InvalidInput(
            f"class-means needs data with the {len(search.net.classes)} classes of "
            f"{search.net.name}, got {len(found.classes)} in {search.data}."
        )
    return found
