"""What holds for every picture: it draws on a whole scene, refuses an empty one, and can be read."""

import importlib.util
import itertools
import warnings
from pathlib import Path

import pytest
from matplotlib.axis import Tick, XTick
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from protoclip_cli.drawing.page import style
from protoclip_cli.drawing.pictures import PICTURES
from protoclip_cli.drawing.scene import Scene

_made = importlib.util.spec_from_file_location(
    "made_scene", Path(__file__).parents[1] / "unit" / "drawing" / "conftest.py"
)
made = importlib.util.module_from_spec(_made)
_made.loader.exec_module(made)
whole_scene = made.whole_scene

every_picture = pytest.mark.parametrize("kind", PICTURES.kinds())


def texts_of(figure):
    """All that is written with its box, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, never = canvas.get_renderer(), never_drawn(figure)
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in never
    ]


def never_drawn(figure):
    """The labels of ticks that lie outside of what is shown."""
    found = set()
    for tick in figure.findobj(Tick):
        low, high = sorted(tick.axes.get_xlim() if isinstance(tick, XTick) else tick.axes.get_ylim())
        if not low <= tick.get_loc() <= high:
            found |= {tick.label1, tick.label2}
    return found


@every_picture
def test_it_draws_what_can_be_read(kind, whole_scene):
    scene, _ = whole_scene
    scene.choose_fonts()
    picture = PICTURES.spec(kind).model_validate({"kind": kind})
    assert picture.refuses(scene) is None
    with style(scene.letters.families), warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = list(picture.draw(scene))
        assert figures
        for name, figure in figures:
            boxes = texts_of(figure)
            width, height = figure.canvas.get_width_height()
            for text, box in boxes:
                assert box.x0 > -1, (name, text)
                assert box.y0 > -1, (name, text)
                assert box.x1 < width + 1, (name, text)
                assert box.y1 < height + 1, (name, text)
            for (one, a), (other, b) in itertools.combinations(boxes, 2):
                across = min(a.x1, b.x1) - max(a.x0, b.x0)
                down = min(a.y1, b.y1) - max(a.y0, b.y0)
                assert across < 1.5 or down < 3, (name, one, other)


@every_picture
def test_it_refuses_an_empty_scene_with_what_it_needs(kind):
    reason = PICTURES.spec(kind).model_validate({"kind": kind}).refuses(Scene())
    assert reason.startswith("needs ")


@every_picture
def test_it_says_in_a_line_what_it_shows(kind):
    assert 20 < len(PICTURES.spec(kind).summary()) < 100
