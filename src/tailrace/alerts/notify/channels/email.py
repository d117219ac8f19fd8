"""Tell by mail, over SMTP: one message to all addresses.

A repetition has the same `Message-ID`, by which mail servers and readers know it; all messages about a group refer to
the same one, so that they make one thread. An answer 5xx is final, everything else may pass. When a server takes a
message for some of the addresses, only the others are tried again.
"""

from __future__ import annotations

import smtplib
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tailrace.access.client_tls import client_context
from tailrace.access.outbound import ForbiddenError
from tailrace.alerts.notify.channels.cut import Cut
from tailrace.alerts.notify.channels.partly import Partly
from tailrace.alerts.notify.model import KEY_HEADER, Refused
from tailrace.clock import NS_PER_S
from tailrace.errors import TransientError
from tailrace.secret import hide, secret_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from tailrace.access.outbound import Outbound
    from tailrace.alerts.notify.message import Writing
    from tailrace.alerts.notify.model import Notification
    from tailrace.alerts.notify.ways import EmailSettings

    Refusals = Mapping[str, tuple[int, bytes]]

_FINAL: Final = 500  # answers from here on
_TLS_PORT: Final = 465


class Email:
    """Sends to the addresses of one receiver."""

    kind: ClassVar = "email"
    renew_ns: ClassVar = 0

    def __init__(
        self,
        settings: EmailSettings,
        writing: Writing,
        *,
        send_resolved: bool = True,
        outbound: Outbound | None = None,
    ) -> None:
        self.send_resolved = send_resolved
        self._settings = settings
        self._writing = writing
        self._outbound = outbound
        self._where = f"{settings.host}:{settings.port}"
        self._partly = Partly()

    def send(self, notification: Notification) -> None:
        """Send the message to all who do not have it yet."""
        left = self._partly.left(notification.key, [parseaddr(address)[1] for address in self._settings.to])
        password, cut = secret_of(self._settings.password, self._settings.password_file), Cut(self._settings.timeout_s)
        try:
            with cut:
                refusals = self._sent(self._mail(notification), left, password, cut)
        except ForbiddenError as error:
            raise Refused(f"{self._where}: {error}") from None
        except smtplib.SMTPRecipientsRefused as error:
            refusals = error.recipients
        except (OSError, ValueError) as error:  # all that smtplib raises is an OSError, but for texts it cannot send
            raise self._failure(TimeoutError() if cut.over else error, password or "") from None
        self._partly.reached(notification.key, (one for one in left if one not in refusals))
        if refusals:
            raise self._refusal(refusals)
        self._partly.done(notification.key)

    def _sent(self, mail: EmailMessage, to: Sequence[str], password: str | None, cut: Cut) -> Refusals:
        settings = self._settings
        direct = settings.encryption == "tls" or (settings.encryption == "auto" and settings.port == _TLS_PORT)
        hello, timeout_s = settings.hello or None, settings.timeout_s
        context = client_context(settings.tls, needed=settings.encryption != "none")
        where = settings.host, settings.port  # given here: it is the name that certificates are held to
        smtp: smtplib.SMTP = (
            _DirectTls(cut, self._outbound, *where, local_hostname=hello, timeout=timeout_s, context=context)
            if direct
            else _Plain(cut, self._outbound, *where, local_hostname=hello, timeout=timeout_s)
        )
        try:
            if not direct and settings.encryption != "none":
                smtp.starttls(context=context)
            if password is not None:
                smtp.login(settings.username, password)
            refusals = smtp.send_message(mail, parseaddr(settings.sender)[1], list(to))
            with suppress(OSError):  # it has the message
                smtp.quit()
        finally:
            smtp.close()
        return refusals

    def _mail(self, notification: Notification) -> EmailMessage:
        message = self._writing(notification)
        domain = parseaddr(self._settings.sender)[1].rpartition("@")[2]
        thread = f"<{_digest(notification.group_key, self._where)}@{domain}>"
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = _unicode(message.title)
        mail["Date"] = format_datetime(datetime.fromtimestamp(notification.at_ns / NS_PER_S, UTC))
        mail["Message-ID"] = f"<{_digest(notification.key, notification.receiver)}@{domain}>"
        mail["In-Reply-To"] = mail["References"] = thread
        mail["Auto-Submitted"] = "auto-generated"
        mail[KEY_HEADER] = _digest(notification.key, "")
        mail.set_content(_unicode(message.body))
        return mail

    def _refusal(self, refusals: Refusals) -> Refused | TransientError:
        """Return what to raise for addresses that did not get the message."""
        said = "; ".join(f"{address}: {code} {_text(why)}" for address, (code, why) in sorted(refusals.items()))
        if any(code < _FINAL for code, _ in refusals.values()):
            return TransientError(f"{self._where}: not taken yet for {said}")
        return Refused(f"{self._where}: refused for {said}")

    def _failure(self, error: Exception, password: str) -> Refused | TransientError:
        why = hide(_why(error), [password])
        if isinstance(error, smtplib.SMTPNotSupportedError):
            hint = "the server offers no STARTTLS, or no login: see `encryption`"
            return Refused(f"{self._where}: {why} ({hint})")
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= _FINAL:
            return Refused(f"{self._where}: refused: {why}")
        if not isinstance(error, OSError):
            return Refused(f"{self._where}: this cannot be sent as mail: {why}")
        return TransientError(f"{self._where}: {why}")


class _Watched(smtplib.SMTP):
    """Has its socket watched from the first byte on: the server's greeting is read while this is made."""

    _cut: Cut
    _outbound: Outbound | None

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # what smtplib asks for a connection
        if self._outbound is not None:  # certificates are held to the name all the same: smtplib keeps it
            host = self._outbound.addresses(host, port)[0]
        made: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]  # not in its stubs
        self._cut.watch(made)
        return made


class _Plain(_Watched):
    def __init__(self, cut: Cut, outbound: Outbound | None, *where: Any, **how: Any) -> None:  # as smtplib takes them
        self._cut, self._outbound = cut, outbound
        super().__init__(*where, **how)


class _DirectTls(smtplib.SMTP_SSL, _Watched):
    def __init__(self, cut: Cut, outbound: Outbound | None, *where: Any, **how: Any) -> None:  # as smtplib takes them
        self._cut, self._outbound = cut, outbound
        super().__init__(*where, **how)


def _digest(*texts: str) -> str:
    return blake2b("\0".join(texts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _text(said: bytes | str) -> str:
    return " ".join((said.decode("utf-8", "replace") if isinstance(said, bytes) else said).split())[:200]


def _why(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
