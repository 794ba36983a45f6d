"""A drawing: pictures, boxes and lines of text at places, to be painted as pixels or as SVG."""

import base64
import io
from dataclasses import dataclass
from html import escape

from PIL import Image, ImageDraw

from whence.viz._text import clean, load_font

RGB = tuple[int, int, int]
DARK, GREY, PALE, WHITE = (30, 30, 30), (105, 105, 105), (215, 215, 215), (255, 255, 255)


@dataclass(frozen=True)
class PictureItem:
    """A picture with its upper left corner at (x, y)."""

    image: Image.Image
    x: int
    y: int


@dataclass(frozen=True)
class BoxItem:
    """A rectangle from (x, y), filled, outlined, or both."""

    x: int
    y: int
    width: int
    height: int
    fill: RGB | None = None
    outline: RGB | None = None


@dataclass(frozen=True)
class TextItem:
    """One line of text; `x` is its left, middle or right end, `y` the middle of its height."""

    text: str
    x: int
    y: int
    size: int = 13
    align: str = "left"
    bold: bool = False
    colour: RGB = DARK


@dataclass(frozen=True)
class ShapeItem:
    """A filled shape with corners (x, y)."""

    points: tuple[tuple[float, float], ...]
    fill: RGB


Item = PictureItem | BoxItem | TextItem | ShapeItem
_FINER = 4  # times as fine shapes are painted first, so that slanting edges are smooth


@dataclass(frozen=True)
class Drawing:
    """A white page with items on it; `image()` gives pixels, `svg()` text that stays text.

    `draw` and `draw_grid` return drawings, and `save` writes them with either suffix.
    """

    width: int
    height: int
    items: tuple[Item, ...]

    def image(self) -> Image.Image:
        """Paint the drawing as an RGB picture."""
        page = Image.new("RGB", (self.width, self.height), WHITE)
        pen = ImageDraw.Draw(page)
        for item in self.items:
            match item:
                case PictureItem(image, x, y):
                    page.paste(image, (x, y))
                case BoxItem(x, y, width, height, fill, outline):
                    corners = (x, y, x + width - 1, y + height - 1)
                    pen.rectangle(corners, fill=fill, outline=outline)
                case ShapeItem(points, fill):
                    _paint(page, points, fill)
                case TextItem(text, x, y, size, align, bold, colour):
                    anchor = {"left": "lm", "middle": "mm", "right": "rm"}[align]
                    font = load_font(size, bold)
                    pen.text((x, y), clean(text), fill=colour, font=font, anchor=anchor)
        return page

    def svg(self) -> str:
        """Write the drawing as an SVG document; its pictures are embedded as PNG."""
        body = "\n".join(_svg_item(item) for item in self.items)
        return svg_document(self.width, self.height, body)


def svg_document(width: int, height: int, body: str) -> str:
    """Wrap SVG elements as a document with a white page."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def svg_picture(image: Image.Image, x: int, y: int) -> str:
    """Embed a picture, its pixels kept crisp when the page is enlarged."""
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return (
        f'<image x="{x}" y="{y}" width="{image.width}" height="{image.height}" '
        f'style="image-rendering:pixelated" xlink:href="data:image/png;base64,{data}"/>'
    )


def hex_colour(colour: RGB) -> str:
    """Write a colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _paint(page: Image.Image, points: tuple[tuple[float, float], ...], fill: RGB) -> None:
    """Paint a shape with smooth edges: its cover of each pixel is its opacity there."""
    xs, ys = zip(*points, strict=True)
    left, top = int(min(xs)) - 1, int(min(ys)) - 1
    width, height = int(max(xs)) + 2 - left, int(max(ys)) + 2 - top
    cover = Image.new("L", (width * _FINER, height * _FINER))
    inside = [((x - left) * _FINER, (y - top) * _FINER) for x, y in points]
    ImageDraw.Draw(cover).polygon(inside, fill=255)
    page.paste(fill, (left, top), cover.resize((width, height), Image.Resampling.BOX))


def _svg_item(item: Item) -> str:
    match item:
        case PictureItem(image, x, y):
            return svg_picture(image, x, y)
        case BoxItem(x, y, width, height, fill, outline):
            inside = hex_colour(fill) if fill else "none"
            rim = f' stroke="{hex_colour(outline)}"' if outline else ""
            # Half a pixel inwards: SVG strokes lie astride the border, painted ones inside it.
            inset, less = (0.5, 1) if outline else (0, 0)
            return (
                f'<rect x="{x + inset}" y="{y + inset}" width="{width - less}" '
                f'height="{height - less}" fill="{inside}"{rim}/>'
            )
        case ShapeItem(points, fill):
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            return f'<polygon points="{corners}" fill="{hex_colour(fill)}"/>'
        case TextItem(text, x, y, size, align, bold, colour):
            anchor = {"left": "start", "middle": "middle", "right": "end"}[align]
            weight = ' font-weight="bold"' if bold else ""
            return (
                f'<text x="{x}" y="{y + 0.35 * size:.1f}" font-size="{size}"{weight} '
                f'font-family="DejaVu Sans, Verdana, sans-serif" text-anchor="{anchor}" '
                f'fill="{hex_colour(colour)}" xml:space="preserve">{escape(clean(text))}</text>'
            )
