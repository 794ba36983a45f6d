"""What every request of a server shares: settings, models, samples, workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request

from whence.serve._explaining import explain_picture, explain_texts
from whence.serve._pictures import as_coarse, read_drawing, read_upload
from whence.serve._pool import Pool
from whence.serve._problem import Problem
from whence.serve._question import Asked, ask, needs_patterns
from whence.serve._samples import Samples
from whence.serve._schemas import Answer, AskDigit, AskText, TextAnswer
from whence.serve._settings import Settings
from whence.serve._shelf import Shelf
from whence.zoo import Model

_GRIDS = {"digits-cnn": 8, "digits-mlp": 8, "lenet5-mnist": 28}  # sides of their training pictures


@dataclass(frozen=True)
class Desk:
    """The shared parts, and the work itself, which runs in a worker's thread."""

    settings: Settings
    shelf: Shelf
    samples: Samples
    pool: Pool

    @classmethod
    def of(cls, settings: Settings) -> "Desk":
        """A desk with nothing loaded yet."""
        return cls(settings, Shelf(settings), Samples(settings.root), Pool(settings.limits))

    def question(self, net: Model, asked: Any) -> Asked:
        """What a request asks of a model, with patterns where its method learns them."""
        made = ask(net, asked.method, asked.composite, asked.target, asked.against)
        if not needs_patterns(made.kind):
            return made
        learned = {"patterns": self.shelf.patterns(net.name)}
        return replace(made, options=made.options | learned)

    def explain_digit(self, asked: AskDigit) -> Answer:
        """The explanation of a drawing."""
        net = self.shelf.model(asked.model, "digits")
        drawing = read_drawing(asked.pixels, asked.height, self.settings.limits)
        if asked.model in _GRIDS:
            drawing = as_coarse(drawing, _GRIDS[asked.model])
        question = self.question(net, asked)
        return explain_picture(net, drawing, question, depth=self.layer(asked))

    def explain_image(self, asked: Any, upload: bytes | None) -> Answer:
        """The explanation of an uploaded picture, or of a sample."""
        net = self.shelf.model(asked.model, "image", "digits")
        notes: list[str] = []
        if upload is None:
            picture = self.samples.picture(self.shelf.entry(asked.model), asked.sample)
        else:
            picture, notes = read_upload(upload, self.settings.limits)
        answer = explain_picture(net, picture, self.question(net, asked), depth=self.layer(asked))
        answer.notes[:0] = notes
        return answer

    def explain_text(self, asked: AskText, texts: Sequence[str]) -> TextAnswer:
        """The explanations of texts."""
        net = self.shelf.model(asked.model, "text")
        return explain_texts(net, texts, self.question(net, asked), asked.without or ())

    def layer(self, asked: Any) -> str | None:
        """The layer that is asked for, of those that are offered."""
        if asked.depth is not None and asked.depth not in self.shelf.entry(asked.model).layers:
            raise Problem("unknown_layer", f"{asked.model} offers no layer {asked.depth[:60]!r}.")
        return asked.depth

    async def work(self, work: Callable[[], Any]) -> Any:
        """The result of `work()` from a worker's thread, within the limits."""
        return await self.pool.run(work)


def desk_of(request: Request) -> Desk:
    """The desk of the server that a request came to."""
    return request.app.state.desk


AtDesk = Annotated[Desk, Depends(desk_of)]
