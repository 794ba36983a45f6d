"""Pictures of relevance: heatmaps, grids, signals, bars, words, and the terminal.

Everything here works on arrays and tensors, never on models, and leaves the raw values alone.
Colour maps are signed: red speaks for the prediction, blue against it, zero is exactly neutral.
Start with `show`, which picks the picture by the shape of the relevance, and `save`.
"""

from whence.viz._colour import colour_names, colourise
from whence.viz._drawing import Drawing
from whence.viz._figure import render
from whence.viz._flow import draw_flow, flow_svg
from whence.viz._grid import draw_grid, grid
from whence.viz._heatmap import contour, heatmap, overlay, pool_channels
from whence.viz._measured import Measured, draw_bands, draw_intervals, draw_measured
from whence.viz._panels import Panel, draw_panels
from whence.viz._save import save, to_svg
from whence.viz._series import bar_chart, curves, plot_signal
from whence.viz._show import draw, show
from whence.viz._strip import draw_strip
from whence.viz._surface import surface
from whence.viz._terminal import bars, summary, table
from whence.viz._text_files import text_fragment, text_latex, text_page
from whence.viz._text_rows import draw_texts, text_block
from whence.viz._tokens import colour_text, draw_text, text_to_html

__all__ = [
    "Drawing",
    "Measured",
    "Panel",
    "bar_chart",
    "bars",
    "colour_names",
    "colour_text",
    "colourise",
    "contour",
    "curves",
    "draw",
    "draw_bands",
    "draw_flow",
    "draw_grid",
    "draw_intervals",
    "draw_measured",
    "draw_panels",
    "draw_strip",
    "draw_text",
    "draw_texts",
    "flow_svg",
    "grid",
    "heatmap",
    "overlay",
    "plot_signal",
    "pool_channels",
    "render",
    "save",
    "show",
    "summary",
    "surface",
    "table",
    "text_block",
    "text_fragment",
    "text_latex",
    "text_page",
    "text_to_html",
    "to_svg",
]
