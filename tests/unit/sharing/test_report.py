import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from protoclip_cli.sharing.comparison import compare
from protoclip_cli.sharing.curves import Chart, Curve, thinned
from protoclip_cli.sharing.drawn_chart import HEIGHT, WIDTH, draw
from protoclip_cli.sharing.grouping import group_runs
from protoclip_cli.sharing.report import html
from protoclip_cli.sharing.run_record import read_run

EVIL = "<script>document.title='broken'</script>"
ARABIC = "مرحبا بالعالم"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.inside = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.inside = tag

    def handle_data(self, data):
        if self.inside not in {"script", "style"}:
            self.text.append(data)


@pytest.fixture
def report_of(tiny_run, tmp_path):
    """`report_of(folder name, scores, **recipe)` is the report of one run."""

    def made(folder, scores, change=Path, **recipe):
        path = tiny_run(tmp_path / folder, scores, **recipe)
        change(path)
        return html(compare(group_runs([read_run(path, folder)]), None), f"{EVIL} of {folder}")

    return made


def test_names_of_strangers_are_text(report_of):
    def change(path):
        (path / "events.jsonl").write_text(json.dumps({"event": EVIL}) + "\n")
        (path / "figures").mkdir()
        Image.new("RGB", (4, 4)).save(path / "figures" / "<script>alert(1)<&'\".png")
        (path / "run.json").write_text(json.dumps({"argv": [EVIL], "versions": {EVIL: EVIL}}))

    page = report_of(f"{EVIL[:8]}", {EVIL: {1: 0.1, 2: 0.2}}, change, note=EVIL, name=EVIL, **{EVIL: EVIL})
    made = Page(page)
    assert made.tags.count("script") == 1
    assert "".join(made.text).count(EVIL) >= 6
    assert page.count("<script") == 1


def test_nothing_is_loaded_from_anywhere(report_of):
    def change(path):
        (path / "figures" / "inner").mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(path / "figures" / "inner" / "a_sheet.png")

    page = report_of("run", {"digits": {1: 0.5, 2: 0.6}}, change)
    made = Page(page)
    loading = [
        (t, v) for t, name, v in made.attributes if name in {"src", "href", "data", "action", "srcset"}
    ]
    assert all(value.startswith(("data:", "#")) for _, value in loading)
    assert [value[:22] for tag, value in loading if tag == "img"] == ["data:image/png;base64,"]
    assert not re.search(r"url\(|@import|https?://", page)
    (policy,) = [
        value for tag, name, value in made.attributes if name == "content" and "default-src" in value
    ]
    assert "default-src 'none'" in policy


def test_long_and_right_to_left_names_keep_their_place(report_of):
    page = report_of("run", {"x" * 10_000: 0.5, ARABIC: 0.25}, note="y" * 10_000, title="z " * 10_000)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    assert max(map(len, cells)) < 500
    assert f"<bdi>{ARABIC}</bdi>" in page
    assert "y" * 10_000 in page  # the recipe itself is whole


def test_what_is_not_finite_is_counted_and_not_drawn(report_of):
    page = report_of("run", {"digits": 0.5}, losses=(3.0, float("nan"), float("inf"), 1.0))
    assert "2 values not finite" in page
    assert "nan" not in "".join(re.findall(r'points="([^"]*)"', page))


def test_a_run_with_no_scores_and_one_with_a_half_written_line(report_of):
    def change(path):
        with (path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 3, "lo')

    page = report_of("run", {}, change, losses=(2.0, 1.0))
    assert "no scores" in page
    assert '<h2 id="curves">' in page
    assert "could not be read" not in page


def test_a_picture_that_is_none_is_left_out_and_said(report_of):
    def change(path):
        (path / "figures").mkdir()
        (path / "figures" / "a.png").write_text(EVIL)

    page = report_of("run", {}, change)
    assert "<img" not in page
    assert "run: a.png is no PNG picture" in page


def test_a_chart_stays_in_its_frame():
    points = ((0.0, -5.0), (10.0, 1e6), (20.0, 3.0))
    drawn = draw(Chart("t", "step", (Curve("a", 9, points), Curve("b", 0, ((5.0, 1.0),)))))
    for curve in drawn.curves:
        for place in curve.path.split():
            x, y = map(float, place.split(","))
            assert drawn.left <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert (drawn.curves[0].colour, drawn.curves[0].dashed) == (1, True)
    assert 2 <= len(drawn.horizontal) <= 6
    assert draw(Chart("t", "step", (Curve("a", 0, ((1.0, 0.0),)),))).curves[0].path


def test_thinning_keeps_the_mean():
    points = [(float(x), float(x % 7)) for x in range(1000)]
    found = thinned(points, 120)
    assert len(found) <= 120
    assert sum(y for _, y in thinned(points, 100)) / 100 == pytest.approx(sum(y for _, y in points) / 1000)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here")
def test_a_browser_shows_it_without_a_complaint(report_of, tmp_path):
    path = tmp_path / "report.html"
    click = "document.querySelectorAll('thead th button')[1].click();console.log('sorted')"
    page = report_of("run", {"digits": {1: 0.5, 2: 0.6}, "a": 0.2})
    path.write_text(page.replace("</body>", f"<script>{click}</script></body>"))
    ran = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *("--dump-dom", f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    said = [line for line in ran.stderr.splitlines() if ":CONSOLE" in line]
    assert [line.partition('"')[2].partition('"')[0] for line in said] == ["sorted"]
    assert 'aria-sort="ascending"' in ran.stdout
    assert ran.stdout.index(">a<") < ran.stdout.index(">digits<")
