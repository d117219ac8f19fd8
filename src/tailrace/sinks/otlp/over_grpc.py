"""Call the logs service of a receiver over gRPC. Needs the extra `otlp`.

What passes by the specification (CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS,
RESOURCE_EXHAUSTED with a time) and what an operator can mend is a `TransientError`; a `RetryInfo` says how long to
wait. RESOURCE_EXHAUSTED without a time means that the request is too large: it is refused, and so halved.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import grpc
from google.protobuf import any_pb2, duration_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

from tailrace.errors import TransientError
from tailrace.secret import hide, secret_of
from tailrace.sinks.channels.otlp_logs import request
from tailrace.sinks.delivery import LaterError, RefusedError
from tailrace.sinks.otlp.sink import partly

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.access.client_tls import ClientTls
    from tailrace.sinks.delivery import Rows, Sent
    from tailrace.sinks.otlp.settings import OtlpSettings

_REFUSED: Final = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
_DETAILS: Final = "grpc-status-details-bin"
_RETRY_INFO: Final = "/google.rpc.RetryInfo"
_LENGTH_DELIMITED: Final = 2


class GrpcCourier:
    """Calls one receiver."""

    def __init__(self, settings: OtlpSettings) -> None:
        self._settings = settings
        self._connection: grpc.Channel | None = None
        self._export: Any = None  # made by a generator, without types
        self._metadata: list[tuple[str, str]] = []
        self._target = _target(settings.url)

    def send(self, rows: Rows) -> Sent:
        """Export records."""
        if self._connection is None:
            self._connect()
        try:
            response = self._export(request(rows.frame, rows.ids()), timeout=self._settings.timeout_s,
                                    metadata=self._metadata)  # fmt: skip
        except grpc.RpcError as error:
            raise self._meaning(error) from None
        return partly(response, rows)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        settings = self._settings
        token = secret_of(settings.token, settings.token_file)
        own = {"authorization": f"Bearer {token}"} if token else {}
        if settings.user:
            both = f"{settings.user}:{secret_of(settings.password, settings.password_file) or ''}"
            own = {"authorization": f"Basic {b64encode(both.encode()).decode()}"}
        given = {name.lower(): value.reveal() for name, value in settings.headers.items()}
        self._metadata = list({**own, **given}.items())
        packed = grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression
        options = [("grpc.max_send_message_length", -1)]
        if settings.url.startswith("http:"):
            self._connection = grpc.insecure_channel(self._target, options, packed)
        else:
            self._connection = grpc.secure_channel(self._target, _credentials(settings.tls), options, packed)
        stub = LogsServiceStub(self._connection)  # type: ignore[no-untyped-call]  # made by a generator
        self._export = stub.Export

    def _meaning(self, error: Any) -> Exception:  # of gRPC, without types
        code = error.code()
        secrets = [part for _, value in self._metadata for part in (value, value.split()[-1])]
        what = hide(f"{self._target}: {code.name}: {error.details()}", secrets)
        after_s = _after_s(dict(error.trailing_metadata() or ()).get(_DETAILS, b""))
        if after_s is not None:
            return LaterError(what, after_s)
        if code in _REFUSED:
            return RefusedError(what)
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            self.close()  # a secret in a file may be another one now
            return TransientError(f"{what} (check the token)")
        return TransientError(what)


def _target(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or (4317 if parts.scheme == 'http' else 443)}"


def _credentials(tls: ClientTls) -> Any:  # as above
    ca, cert, key = (_read(path) for path in (tls.ca_file, tls.cert_file, tls.key_file or tls.cert_file))
    return grpc.ssl_channel_credentials(ca, key if cert else None, cert)


def _read(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise TransientError(f"{path}: cannot be read: {error.strerror}") from None


def _after_s(status: bytes) -> float | None:
    """Return the time that a `google.rpc.Status` with a `RetryInfo` asks for.

    Only two of its messages are of interest: details (3), each an `Any`; and in a `RetryInfo` the duration (1).
    """
    for detail in _members(status, 3):
        found = any_pb2.Any()
        try:
            found.ParseFromString(detail)
            if found.type_url.endswith(_RETRY_INFO):
                for delay in _members(found.value, 1):
                    duration = duration_pb2.Duration()
                    duration.ParseFromString(delay)
                    return max(0.0, float(duration.seconds + duration.nanos / 1e9))
                return 0.0
        except Exception:  # noqa: BLE001  protobuf's own: a receiver that writes nonsense asks for nothing
            return None
    return None


def _members(message: bytes, number: int) -> list[bytes]:
    """Return the members of a message that have a number and are messages themselves."""
    found, at = [], 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _LENGTH_DELIMITED:
            length, at = _varint(message, at)
            if key >> 3 == number:
                found.append(message[at : at + length])
            at += length
        elif kind == 0:
            _, at = _varint(message, at)
        else:
            at += {1: 8, 5: 4}.get(kind, len(message))
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004  the last one has no high bit
            break
    return value, at
