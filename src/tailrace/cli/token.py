"""`tailrace token`: make, list and revoke the tokens that a server asks for."""

import json as json_text
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tailrace.access.model import SCOPES, Scope
from tailrace.cli import options, output
from tailrace.clock import NS_PER_S, SystemClock
from tailrace.errors import QueryError

if TYPE_CHECKING:
    from tailrace.access.tokens import Token

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the tokens that a server asks for.")


@app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what it is for; stands in the audit log.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="|".join(SCOPES), help="What it lets do; may be given often. (default: query)"),
    ] = None,
    tenant: Annotated[str, typer.Option("--tenant", metavar="NAME", help="Whose rows it is for. (default: all)")] = "",
    expires: Annotated[str | None, typer.Option("--expires", metavar="90d", help="After which it ends.")] = None,
    config: options.ConfigFile = None,
    data: options.Data = None,
) -> None:
    """Make a token and print it. It is shown this once: only a hash of it is kept.

    For example:

        tailrace token create grafana --scope query

        tailrace token create agents --scope push --expires 365d

        tailrace token create shop --scope push --scope query --tenant shop
    """
    from tailrace.access.tokens import Tokens
    from tailrace.cli.folder import configured_control

    wanted = scopes or ["query"]
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown:
        raise QueryError(f"--scope: {unknown[0]!r} is none of {', '.join(SCOPES)}")
    with configured_control(data, config, create=True) as (control, _):
        chosen = cast("list[Scope]", wanted)  # each was compared with its words
        text, token = Tokens(control, SystemClock()).create(name, chosen, tenant=tenant, lives_ns=_lives_ns(expires))
    output.line(text)
    output.note(f"token {token.id} for {name!r}: {_described(token)}; it is not shown again")


@app.command("list")
def token_list(json: options.Json = False, config: options.ConfigFile = None, data: options.Data = None) -> None:
    """List the tokens: their ids, names and scopes, and when each was used last. The tokens themselves are not kept.

    For example:

        tailrace token list --data ./data
    """
    from tailrace.access.tokens import Tokens
    from tailrace.cli.folder import configured_control

    with configured_control(data, config) as (control, _):
        found = Tokens(control, SystemClock()).all()
    if json:
        for token in found:
            output.line(json_text.dumps(_json(token), ensure_ascii=False))
    elif found:
        output.table((one.id, f"{one.name}: {_described(one)}, used {_day(one.used_ns)}") for one in found)
    else:
        output.note("there are no tokens; make one: tailrace token create NAME --scope query")


@app.command("revoke")
def token_revoke(
    public: Annotated[str, typer.Argument(metavar="ID", help="Id of a token, as the list shows it.")],
    config: options.ConfigFile = None,
    data: options.Data = None,
) -> None:
    """Revoke a token, and the sessions of browsers that were begun with it. Servers refuse it some seconds later.

    For example:

        tailrace token revoke k3v9x2m4qa
    """
    from tailrace.access.tokens import PREFIX, Tokens
    from tailrace.cli.folder import configured_control

    public = public.removeprefix(PREFIX).partition("_")[0]
    with configured_control(data, config) as (control, _):
        if not Tokens(control, SystemClock()).revoke(public):
            raise QueryError(f"there is no token {public[:20]!r}", hint="tailrace token list shows their ids")
    output.line(f"revoked {public}")


def _lives_ns(text: str | None) -> int:
    from tailrace.web.times import duration_ns

    if text is None:
        return 0
    lives_ns = duration_ns(text, "--expires")
    if lives_ns <= 0:
        raise QueryError("--expires must be longer than nothing")
    return lives_ns


def _described(token: "Token") -> str:
    whose = f"of tenant {token.tenant}" if token.tenant else "of all tenants"
    until = f"until {_day(token.expires_ns)}" if token.expires_ns else "without end"
    return f"{', '.join(sorted(token.scopes))} {whose}, {until}"


def _day(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M} UTC" if at_ns else "never"


def _json(token: "Token") -> dict[str, object]:
    times = {"created_ns": token.created_ns, "expires_ns": token.expires_ns or None, "used_ns": token.used_ns or None}
    return {"id": token.id, "name": token.name, "tenant": token.tenant, "scopes": sorted(token.scopes), **times}
