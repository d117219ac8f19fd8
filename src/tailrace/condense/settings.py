"""What a condenser is asked to do: flags, the environment, a `.env` file, defaults, in this order.

The names of the environment are those of the watchywatchy condenser, in both of its spellings. A `.env` file has lines
`NAME=value`, maybe with `export` in front and quotes around the value. Secrets are read from the environment, the
`.env` file or files of their own; they are in no message and no `repr`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW: Final = 10_000
"""Documents that one page may have: `index.max_result_window` of a cluster that nobody changed."""

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "index": ("CONDENSE_INDEX",),
    "page_size": ("CONDENSE_PAGE_SIZE",),
    "action_buffer": ("CONDENSE_ACTION_BUFFER", "CONDENSE_ACTION_BUFFER_SIZE"),
    "delete_buffer": ("CONDENSE_DELETE_BUFFER",),
    "delete_timeout_s": ("CONDENSE_DELETE_TIMEOUT",),
    "sleep_s": ("CONDENSE_AGGREGATION_SLEEP",),
    "log_path": ("CONDENSE_LOG_PATH",),
    "log_to_console": ("CONDENSE_LOG_TO_CONSOLE", "CONDENSE_LOG_CONSOLE"),
    "log_level": ("RUST_LOG",),
    "ca_file": ("CERT_PATH",),
    "user": ("ES_USER",),
    "password": ("ES_PASSWORD",),
    "api_key": ("ES_API_KEY",),
}
"""Settings and the names that they have in the environment; where two are set, they must agree."""

LEVELS: Final = ("trace", "debug", "info", "warn", "error")

_ODD_PASSWORD: Final = re.compile(r"[^/]*//[^/?#@]*:[^@]*[/?#][^@]*@")
_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_QUOTED: Final = re.compile(r"(['\"])(.*)\1(?:\s+#.*)?")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a condenser is told."""

    url: str
    index: str = ".ds-logs-fim.event-default*"
    page_size: int = 256  # documents that are fetched at a time
    action_buffer: int = 1024  # actions of one bulk request, at most
    delete_buffer: int = 100  # paths with something to do that may wait; one more and they are sent
    delete_timeout_s: float = 5.0  # how long the first of them may wait
    sleep_s: float = 360.0  # between two passes of a service
    log_path: str = "log"  # folder of the log file; empty for none
    log_to_console: bool = True
    log_level: str = "info"
    ca_file: str = ""  # certificates of the authorities to trust; empty for those of the system
    insecure: bool = False  # trust any certificate
    user: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    host_field: str = "host.name"  # aggregated, so it must be a keyword
    moved: Literal["carry", "remove"] = "carry"  # documents below a directory that moved
    grace_s: float = 0.0  # how long the events of removed paths stay, to remove what arrives late


def read_env_file(path: Path) -> dict[str, str]:
    """Return the names and values of a `.env` file."""
    values: dict[str, str] = {}
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigError([Problem(str(path), "expected NAME=value", line=number)])
        value = match[2]
        quoted = _QUOTED.fullmatch(value)
        values[match[1]] = quoted[2] if quoted else re.sub(r"\s+#.*$", "", value)
    return values


def load(flags: Mapping[str, object], environment: Mapping[str, str], file: Mapping[str, str]) -> Settings:
    """Return settings; all mistakes are told at once. A flag that is None was not given."""
    problems: list[Problem] = []
    values: dict[str, object] = {}
    for name, spellings in NAMES.items():
        found = _found(spellings, environment, file, problems)
        if found is not None:
            where, text = found
            _take(values, name, where, text, problems)
    values |= {name: value for name, value in flags.items() if value is not None and name != "url"}
    for kind in ("password", "api_key"):
        secret = _secret(kind, values, environment, file, problems)
        if secret is not None:
            values[kind] = secret
    url = _url(flags.get("url"), environment, file, values, problems)
    problems += _bounds(values)
    if problems:
        raise ConfigError(problems)
    return Settings(url, **values)  # type: ignore[arg-type]  # each was made by the type of its field


def _found(
    spellings: tuple[str, ...], environment: Mapping[str, str], file: Mapping[str, str], problems: list[Problem]
) -> tuple[str, str] | None:
    for origin in (environment, file):
        given = [(name, origin[name]) for name in spellings if origin.get(name, "") != ""]
        if len({value for _, value in given}) > 1:
            problems.append(Problem(given[1][0], f"differs from {given[0][0]}, and both mean the same", "set one"))
        if given:
            return given[0]
    return None


def _take(values: dict[str, object], name: str, where: str, text: str, problems: list[Problem]) -> None:
    """Put a text of the environment into the values, by the type of its setting."""
    default = Settings.__dataclass_fields__[name].default
    try:
        if isinstance(default, bool):
            values[name] = _truth(text)
        elif isinstance(default, int | float):
            values[name] = type(default)(text)
        elif name == "log_level":
            values[name] = next((level for level in LEVELS if level in re.split(r"[,=]", text.lower())), "info")
        else:
            values[name] = text
    except ValueError:
        kind = "true or false" if isinstance(default, bool) else "a number"
        problems.append(Problem(where, f"expected {kind}, got {text!r}"))


def _truth(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return text.lower() in _TRUE


def _secret(
    kind: str,
    values: dict[str, object],
    environment: Mapping[str, str],
    file: Mapping[str, str],
    problems: list[Problem],
) -> str | None:
    """Return what stands in the file that `ES_PASSWORD_FILE` or `ES_API_KEY_FILE` names, or a flag."""
    name = f"ES_{kind.upper()}_FILE"
    given = values.pop(f"{kind}_file", None) or environment.get(name) or file.get(name)
    if not given:
        return None
    try:
        return Path(str(given)).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(name, f"{given}: cannot be read: {error}"))
        return None


def _url(
    given: object,
    environment: Mapping[str, str],
    file: Mapping[str, str],
    values: dict[str, object],
    problems: list[Problem],
) -> str:
    """Return the address of the cluster without credentials; those in it count if there are no others."""
    text = str(given or "")
    if not text:
        both = {**file, **{name: value for name, value in environment.items() if value}}
        host, port = both.get("ES_IP", ""), both.get("ES_PORT") or "9200"
        if not host:
            problems.append(Problem("--elasticsearch", "no address", "give a URL, or ES_IP in the environment"))
            return ""
        text = host if "://" in host else f"https://{f'[{host}]' if host.count(':') > 1 else host}:{port}"
    text = text if "://" in text else f"https://{text}"
    if _ODD_PASSWORD.match(text):  # what stands before it would be taken for the host, and shown
        hint = "write them as %2F, %3F and %23, or give --user and --password-file"
        problems.append(Problem("--elasticsearch", "a password has /, ? or # in it", hint))
        return ""
    try:
        parts = urlsplit(text)
        address = f"{parts.scheme}://{_place(parts.hostname or '', parts.port)}{parts.path.rstrip('/')}"
    except ValueError:  # its text may have a part of a password
        problems.append(Problem("--elasticsearch", "this is no URL", "expected https://host:9200"))
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        problems.append(Problem("--elasticsearch", "expected https://host:9200"))
    if parts.username and not values.get("user"):
        values["user"], values["password"] = unquote(parts.username), unquote(parts.password or "")
    return urlunsplit(urlsplit(address))


def _place(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port}" if port else name


def _bounds(values: Mapping[str, object]) -> list[Problem]:
    """Return the numbers that are out of range."""
    least_most = {
        "page_size": (1, WINDOW),
        "action_buffer": (1, 100_000),
        "delete_buffer": (0, 1_000_000),
        "delete_timeout_s": (0, 3_600),
        "sleep_s": (0, 7 * 86_400),
        "grace_s": (0, 30 * 86_400),
    }
    problems = []
    for name, (least, most) in least_most.items():
        value = values.get(name)
        if isinstance(value, int | float) and not least <= value <= most:
            problems.append(Problem(NAMES.get(name, (name,))[0], f"expected {least} to {most:,}, got {value:g}"))
    ca_file = values.get("ca_file")
    if ca_file and not Path(str(ca_file)).is_file():
        problems.append(Problem("CERT_PATH", f"{ca_file}: there is no such file"))
    if values.get("user") and values.get("api_key"):
        problems.append(Problem("ES_API_KEY", "a user and an API key are given", "give one of them"))
    if values.get("index") == "":
        problems.append(Problem("CONDENSE_INDEX", "no index"))
    return problems
