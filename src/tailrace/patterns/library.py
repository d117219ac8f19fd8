r"""Named patterns that a `%{NAME:field}` pattern can use without defining them.

Each is linear, free of capturing groups, and as narrow as the thing it names allows: what fails early costs least.
"""

from __future__ import annotations

from typing import Final

_H: Final = "[0-9A-Fa-f]{1,4}"
_IPV6: Final = "|".join(  # the place of `::` decides, so that a time of day is no address
    [f"(?:{_H}:){{7}}{_H}", f"(?:{_H}:){{6}}%{{IPV4}}"]
    + [f"(?:{_H}:){{1,{before}}}(?::{_H}){{1,{7 - before}}}" for before in range(6, 0, -1)]
    + [f"(?:{_H}:){{1,{before}}}:%{{IPV4}}" for before in range(5, 0, -1)]
    + [f"(?:{_H}:){{1,7}}:", "::(?:[fF]{4}:)?%{IPV4}", f":(?:(?::{_H}){{1,7}}|:)"]
)

LIBRARY: Final[dict[str, str]] = {
    # text
    "WORD": r"\b\w+\b",
    "NOTSPACE": r"\S+",
    "SPACE": r"\s*",
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "QUOTEDSTRING": r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')",
    "QS": r"%{QUOTEDSTRING}",
    "UUID": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "URN": r"urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:\S+",
    "USERNAME": r"[A-Za-z0-9._-]+",
    "USER": r"%{USERNAME}",
    "EMAILADDRESS": r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@%{HOSTNAME}",
    # numbers
    "INT": r"[+-]?[0-9]+",
    "POSINT": r"[1-9][0-9]*",
    "NONNEGINT": r"[0-9]+",
    "NUMBER": r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
    "BASE10NUM": r"%{NUMBER}",
    "BASE16NUM": r"[+-]?(?:0[xX])?[0-9A-Fa-f]+",
    "BOOL": r"(?:true|false|True|False|TRUE|FALSE)",
    # network
    "IPV4": r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])",
    "IPV6": rf"(?:{_IPV6})(?:%[0-9A-Za-z]+)?",
    "IP": r"(?:%{IPV6}|%{IPV4})",
    "HOSTNAME": r"[0-9A-Za-z](?:[0-9A-Za-z_-]*[0-9A-Za-z])?(?:\.[0-9A-Za-z](?:[0-9A-Za-z_-]*[0-9A-Za-z])?)*\.?",
    "IPORHOST": r"(?:%{IP}|%{HOSTNAME})",
    "HOSTPORT": r"%{IPORHOST}:%{POSINT}",
    "MAC": r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}",
    # paths
    "UNIXPATH": r"(?:/[^\s/]*)+",
    "WINPATH": r"(?:[A-Za-z]:|\\)(?:\\[^\\?*\s]*)+",
    "PATH": r"(?:%{UNIXPATH}|%{WINPATH})",
    "URIPROTO": r"[A-Za-z][A-Za-z0-9+.-]*",
    "URIHOST": r"%{IPORHOST}(?::[0-9]+)?",
    "URIPATH": r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+",
    "URIPARAM": r"\?[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>-]*",
    "URIPATHPARAM": r"%{URIPATH}(?:%{URIPARAM})?",
    "URI": r"%{URIPROTO}://(?:[^\s/@]+@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
    # time
    "MONTH": r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)",
    "MONTHNUM": r"(?:0[1-9]|1[0-2]|[1-9])",
    "MONTHDAY": r"(?:0[1-9]|[12][0-9]|3[01]|[1-9])",
    "DAY": r"(?:Mon|Tue(?:s)?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?",
    "YEAR": r"[0-9]{4}",
    "HOUR": r"(?:2[0-3]|[01]?[0-9])",
    "MINUTE": r"[0-5][0-9]",
    "SECOND": r"(?:60|[0-5]?[0-9])(?:[.,:][0-9]+)?",
    "TIME": r"%{HOUR}:%{MINUTE}:%{SECOND}",
    "ISO8601_TIMEZONE": r"(?:Z|[+-]%{HOUR}(?::?%{MINUTE})?)",
    "TIMESTAMP_ISO8601": r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?"
    r"(?:%{ISO8601_TIMEZONE})?",
    "DATE_US": r"%{MONTHNUM}[/-]%{MONTHDAY}[/-](?:[0-9]{4}|[0-9]{2})",
    "DATE_EU": r"%{MONTHDAY}[./-]%{MONTHNUM}[./-](?:[0-9]{4}|[0-9]{2})",
    "DATE": r"(?:%{DATE_US}|%{DATE_EU})",
    "HTTPDATE": r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} [+-][0-9]{4}",
    "SYSLOGTIMESTAMP": r"%{MONTH} +%{MONTHDAY} %{TIME}",
    "UNIXTIME": r"[0-9]{10}(?:[0-9]{3}){0,3}(?:\.[0-9]+)?",
    # logs
    "LOGLEVEL": r"(?i:trace|debug|notice|info(?:rmation)?|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|alert"
    r"|emerg(?:ency)?|panic)",
    "PROG": r"[!-Z\\^-~]+",
    "SYSLOGPROG": r"%{PROG:app}(?:\[%{POSINT:procid}\])?",
    "SYSLOGHOST": r"%{IPORHOST}",
    "SYSLOGBASE": r"%{SYSLOGTIMESTAMP:timestamp} %{SYSLOGHOST:hostname} %{SYSLOGPROG}:",
    "JAVACLASS": r"(?:[A-Za-z_$][A-Za-z0-9_$]*\.)*[A-Za-z_$][A-Za-z0-9_$]*",
    "JAVAFILE": r"[A-Za-z0-9_. -]+",
    "HTTPMETHOD": r"[A-Z]+",
    "HTTPVERSION": r"[0-9](?:\.[0-9])?",
    "COMMONLOG": r"%{IPORHOST:remote_addr} %{NOTSPACE:ident} %{NOTSPACE:remote_user} \[%{HTTPDATE:timestamp}\] "
    r"\"(?:%{HTTPMETHOD:method} %{NOTSPACE:path}(?: HTTP/%{HTTPVERSION:http_version})?|[^\"]*)\" "
    r"%{NONNEGINT:status:int} (?:%{NONNEGINT:bytes:int}|-)",
    "COMBINEDLOG": r"%{COMMONLOG} \"(?P<referer>[^\"]*)\" \"(?P<user_agent>[^\"]*)\"",
}
"""Name to pattern; patterns may use others by `%{NAME}`."""
