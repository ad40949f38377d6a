"""From a page to one HTML file that asks for nothing: images are data URIs, no script, all text escaped."""

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainer.report.page.blocks import Page

_POLICY = "default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"


def render(page: Page) -> str:
    """The page as HTML5, with a Content-Security-Policy under which it can load and run nothing but what is in it."""
    style = resources.files("trainer.report.page").joinpath("templates/page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = _environment().get_template("page.html.jinja")
    # The style is the program's own; everything else is escaped.
    return template.render(page=page, style=Markup(style), policy=_POLICY.format(style=digest))  # noqa: S704


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("trainer.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.tests["of_kind"] = lambda block, kind: type(block).__name__ == kind
    return environment
