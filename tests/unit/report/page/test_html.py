"""A page of every kind of block, in a real browser: it asks for nothing, runs nothing, and reads without eyes."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Browser

from tests.browser import DESKTOP, PHONE, Opened, open_page
from trainer.report.drawing import pixels, to_png, to_svg
from trainer.report.page.blocks import Case, Cases, Facts, Fold, Page, Paragraph, Part, Picture, Pictures, Table
from trainer.report.page.html import render

HOSTILE = "<script>document.title='taken'</script><img src='http://films.invalid/x'>\" onload='x'"


def picture(kind: str = "svg") -> Picture:
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([0, 1], [0, 1])
    if kind == "svg":
        return Picture(f"curve {HOSTILE}", to_svg(figure), "image/svg+xml", *pixels(figure))
    return Picture("film", to_png(figure), "image/png", *pixels(figure))


def page() -> Page:
    wide = Table("Scores", ("class", *(f"column {each}" for each in range(12))), (("Mass", *(["0.123456"] * 12)),))
    blocks = (
        Paragraph("Words."),
        Paragraph(HOSTILE, "warning"),
        Facts((("films", "206"), (HOSTILE, HOSTILE))),
        wide,
        Table("Words in cells", ("set", "where"), (("test", HOSTILE),), texts=True),
    )
    lower = Part(
        "mass",
        "Mass",
        (
            Pictures((picture(), picture())),
            Cases("Misses", (Case(picture("png"), picture("png"), f"film {HOSTILE}"),)),
        ),
    )
    fold = Part("settings", "Settings", (Fold("All", f"a: {HOSTILE}\n" * 30),))
    return Page(
        f"Report {HOSTILE}", (Paragraph("In short."),), (Part("scores", "Scores", blocks, (lower,)), fold), "End."
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("page") / "report.html"
    written.write_text(render(page()), encoding="utf-8")
    return written


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def opened(request: pytest.FixtureRequest, chromium: Browser, file: Path) -> Iterator[Opened]:
    found = open_page(chromium, file, width=request.param)
    yield found
    found.page.close()


def test_the_browser_has_nothing_to_complain_of(opened: Opened) -> None:
    assert opened.complaints == []


def test_the_page_asks_for_nothing(opened: Opened) -> None:
    assert opened.requests == []


def test_every_image_is_decoded(opened: Opened) -> None:
    assert opened.broken_images() == []
    assert opened.page.locator("img").count() == 4


def test_text_stays_text(opened: Opened) -> None:
    assert opened.page.title() == f"Report {HOSTILE}"
    assert opened.page.locator("script").count() == 0


def test_the_style_is_applied(opened: Opened) -> None:
    found = opened.page.locator(".warning").first.evaluate("each => getComputedStyle(each).borderLeftWidth")
    assert found == "5px"


def test_nothing_but_a_table_is_wider_than_the_screen(opened: Opened) -> None:
    assert opened.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_headings_go_down_one_at_a_time(opened: Opened) -> None:
    levels = opened.page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in pairwise(levels))


def test_landmarks_tables_and_images_have_names(opened: Opened) -> None:
    for landmark in ("header", "nav", "main", "footer"):
        assert opened.page.locator(landmark).count() == 1
    assert opened.page.locator("img:not([alt]), img[alt='']").count() == 0
    assert opened.page.locator("table:not(:has(caption)), th:not([scope])").count() == 0


def test_axe_finds_no_barrier(opened: Opened) -> None:
    assert opened.barriers() == []


def test_the_contents_lead_to_every_part(opened: Opened) -> None:
    assert opened.page.evaluate(
        "[...document.querySelectorAll('nav a, .skip')].every(a => document.querySelector(a.getAttribute('href')))"
    )


def test_a_page_that_fetches_or_complains_or_breaks_an_image_would_be_caught(chromium: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<img src='http://127.0.0.1:9/film.png' alt='far'><img src='data:image/png;base64,AAAA' alt='cut'>"
        "<script>console.error('no')</script><p style='color: #ddd'>faint</p>",
        encoding="utf-8",
    )
    opened = open_page(chromium, bad)
    assert opened.requests == ["http://127.0.0.1:9/film.png"]
    assert "no" in opened.complaints
    assert opened.broken_images() == ["far", "cut"]
    assert any(each.startswith("color-contrast") for each in opened.barriers())
    opened.page.close()


def test_the_policy_forbids_what_a_page_with_a_hole_would_do(chromium: Browser, tmp_path: Path) -> None:
    holed = tmp_path / "holed.html"
    more = "<script>document.title='taken'</script><img src='http://127.0.0.1:9/x' alt='far'></main>"
    holed.write_text(render(page()).replace("</main>", more), encoding="utf-8")
    opened = open_page(chromium, holed)
    assert opened.page.title() != "taken"
    assert len([each for each in opened.complaints if "Content Security Policy" in each]) >= 2
    opened.page.close()


def test_the_page_prints_with_what_is_folded(chromium: Browser, file: Path) -> None:
    opened = open_page(chromium, file)
    opened.page.emulate_media(media="print")
    assert opened.page.locator("pre").is_visible()
    assert not opened.page.locator("nav").is_visible()
    assert opened.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    opened.page.close()
