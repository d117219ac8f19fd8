"""`tailrace audit`: who changed what, when and from where."""

import json as json_text
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.cli import options, output
from tailrace.clock import SystemClock


def audit(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="How many, from the newest.")] = 100,
    json: options.Json = False,
    config: options.ConfigFile = None,
    data: options.Data = None,
    url: options.Url = None,
) -> None:
    """Show who changed rules, silences, receivers, metrics or lines over the API, newest first.

    For example:

        tailrace audit --limit 20

        tailrace audit --url http://127.0.0.1:9080 --json
    """
    options.exclusive(data, url)
    found = _kept(data, config, limit) if url is None else _asked(url, limit)
    if json:
        for entry in found:
            output.line(json_text.dumps(entry, ensure_ascii=False))
    elif found:
        for one in found:
            output.line(f"{one['at']}  {one['who']} from {one['peer']}: {one['what']} ({one['status'] or 'not ended'})")
    else:
        output.note("nothing was changed over the API so far")


def _kept(data: Path | None, config: Path | None, limit: int) -> Sequence[dict[str, Any]]:  # Any: JSON
    from tailrace.access.audit import Audit
    from tailrace.cli.folder import configured_control
    from tailrace.web.audit_api import entry_json

    with configured_control(data, config) as (control, _):
        return [entry_json(one) for one in Audit(control, SystemClock()).newest(limit)]


def _asked(url: str, limit: int) -> Sequence[dict[str, Any]]:  # Any: JSON
    from tailrace.cli import remote
    from tailrace.web.audit_api import PATH

    found: Sequence[dict[str, Any]] = remote.call(url, PATH, parameters={"limit": limit})["entries"]
    return found
