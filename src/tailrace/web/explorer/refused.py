"""What is refused, as a page for people: the same words and status that programs get as a line of text.

Comes in: the plain answer. Goes out: a page with a way on, if a browser asked for a page; else the plain answer itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse

from tailrace.web.explorer.frame import NAV, wants_page
from tailrace.web.explorer.texts import common

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tailrace.web.explorer.frame import Frame

_OF_PROGRAMS: Final = ("/api/", "/loki/", "/prometheus/")
_BUG: Final = 500
_OF_TEXT: Final = ("content-length", "content-type")


def shown(frame: Frame, request: Request, plain: Response) -> Response:
    """Return a refusal as whoever asked can read it best."""
    path = request.url.path
    a_bug = plain.status_code == _BUG  # after which nothing more is tried
    if a_bug or not isinstance(plain, PlainTextResponse) or not wants_page(request) or path.startswith(_OF_PROGRAMS):
        return plain
    home = next((view for view in NAV if view.path != "/" and path.startswith(view.path)), None)
    text = bytes(plain.body).decode()
    page = frame.page(
        request,
        "refused.html",
        view=home.name if home else "",
        status=plain.status_code,
        heading=common.REFUSED.get(plain.status_code, common.REFUSED[0]),
        text=text,
        home=home,
    )
    page.headers.update({name: value for name, value in plain.headers.items() if name not in _OF_TEXT})
    return page
