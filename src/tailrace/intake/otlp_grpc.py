"""OTLP logs over gRPC: `LogsService/Export`, answered when its records are durable.

Comes in: requests on a port of its own, plain or over TLS, with a token in the metadata `authorization` where tokens
are needed. Goes out: rows, as of OTLP over HTTP; and the empty message. Refuses: INVALID_ARGUMENT for what is no such
request, RESOURCE_EXHAUSTED for one that is too large (both are never sent again), UNAUTHENTICATED and
PERMISSION_DENIED; UNAVAILABLE with `RetryInfo` for everything that may work later, our own faults among it.

A worker thread belongs to a request until it is answered, and reads its message only then: so no more than
`limits.OTLP_WORKERS` messages are in memory, whatever the number of connections. At most `limits.PUSHES_AT_ONCE` are
decoded at once.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tailrace import limits
from tailrace.access.credentials import token_of
from tailrace.access.model import ANONYMOUS, OPERATOR, Denied
from tailrace.access.tenants import ConfinedEngine, ConfinedTable, Stamped
from tailrace.access.tokens import looks_like_token
from tailrace.batch import weight
from tailrace.errors import ConfigError, DataError, Problem, TailraceError
from tailrace.intake.address import is_loopback, network_of, parse_address
from tailrace.intake.gate import Overloaded, client_of
from tailrace.intake.otlp import answers
from tailrace.intake.otlp.take import decoder, recalled, without_repeats
from tailrace.intake.seen import Seen
from tailrace.intake.submit import submit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc

    from tailrace.access.model import Principal
    from tailrace.access.settings import TlsSettings
    from tailrace.contracts import Sink
    from tailrace.intake.listeners import Supply
    from tailrace.intake.otlp.settings import OtlpGrpcSettings

SOURCE: Final = "otlp"
"""The name of these lines in the accounts, over HTTP and gRPC."""

SERVICE: Final = "opentelemetry.proto.collector.logs.v1.LogsService"

GRACE_S: Final = 10.0
"""How long open requests may go on when this stops: a commit takes less, or fails."""

_RETRY_S: Final = 5
_TENANTS: Final = 256  # whose keys are remembered
_METADATA_BYTES: Final = 16 * limits.KIB
_PEER: Final = re.compile(r"ipv[46]:(.*):\d+")
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where the records of one tenant go."""

    sink: Sink
    seen: Seen


class OtlpGrpc:
    """Implements `intake.listeners.Listener`."""

    def __init__(self, settings: OtlpGrpcSettings, supply: Supply) -> None:
        try:
            import grpc
        except ImportError:
            what, hint = "OTLP over gRPC needs a library that is not here", "pip install 'tailrace[otlp]'"
            raise ConfigError([Problem("$.receivers", what, hint)]) from None
        self._settings, self._supply = settings, supply
        self._rows = decoder("protobuf")
        self._decoding = threading.BoundedSemaphore(limits.PUSHES_AT_ONCE)
        self._allowed = [network for one in settings.allow if (network := network_of(one)) is not None]
        self._ways: OrderedDict[str, _Way] = OrderedDict()
        self._lock = threading.Lock()
        self._codes = {code.value[0]: code for code in grpc.StatusCode}
        options = [
            ("grpc.max_receive_message_length", settings.message_bytes),
            ("grpc.max_metadata_size", _METADATA_BYTES),
            ("grpc.max_concurrent_streams", limits.OTLP_WORKERS),
            ("grpc.so_reuseport", 0),  # a port that somebody listens on is refused
        ]
        pool = ThreadPoolExecutor(limits.OTLP_WORKERS, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(pool, options=options)
        export = grpc.unary_unary_rpc_method_handler(self._export)  # without codecs: bytes in, bytes out
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": export}),))
        self._port = self._bind()

    def _bind(self) -> int:
        listen, tls = self._settings.listen, self._supply.tls_settings
        try:
            if not self._settings.tls:
                return int(self._server.add_insecure_port(listen))
            return int(self._server.add_secure_port(listen, _credentials(tls)))
        except (RuntimeError, OSError) as error:
            what = f"{self._settings.name}: cannot listen on {listen}"
            raise ConfigError([Problem("$.receivers", what, "is the port taken?")]) from error

    @property
    def address(self) -> str:
        """Where it listens, for people."""
        host = self._settings.listen.rpartition(":")[0]
        return f"otlp over gRPC{' and TLS' if self._settings.tls else ''} on {host}:{self._port}"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    def start(self) -> None:
        """Take requests, in the background."""
        self._server.start()

    def stop(self) -> None:
        """Take no new request; return when those that are open are answered."""
        self._server.stop(GRACE_S).wait()

    # --- one request, in a thread of the pool -----------------------------------------------------

    def _export(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            self._take(body, _address(context.peer()), dict(context.invocation_metadata()))
        except Exception as error:  # noqa: BLE001  whatever it is, its sender learns that it may come again
            code, text, retry_s = _failure(error)
            details = answers.as_protobuf(code, text, retry_s)
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(self._codes[code], text)
        return b""

    def _take(self, body: bytes, peer: str, metadata: Mapping[str, str]) -> None:
        supply = self._supply
        if not self._may(peer):
            raise Denied(403, "this address may not send")
        way = self._way(self._principal(peer, metadata).tenant)
        with supply.gate.request(client_of(peer), len(body), receiver=SOURCE) as hold, way.seen.taking() as taking:
            with self._decoding:
                frame = self._rows(body, supply.clock.now_ns(), self._settings.labels)
                frame = without_repeats(frame, taking, supply.accounts)
                hold.become(weight(frame))
            if frame.height:
                submit(way.sink, supply.accounts, frame, SOURCE).result()

    def _may(self, peer: str) -> bool:
        if not self._allowed:
            return True
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._allowed)

    def _principal(self, peer: str, metadata: Mapping[str, str]) -> Principal:
        guard = self._supply.guard
        if guard is None:
            return ANONYMOUS
        header = metadata.get("authorization", "")
        token = token_of(header) if header else None
        if guard.open and token is not None and not looks_like_token(token):
            token = None  # meant for somebody else: here nobody needs one
        if guard.open and token is None and not trusts_all(self._settings, self._supply.tls_settings):
            raise Denied(401, "a token is needed, since other machines reach this port")
        return guard.admit(token, "push", peer, metadata.get("x-scope-orgid", "") if guard.tenants else OPERATOR)

    def _way(self, tenant: str) -> _Way:
        with self._lock:
            way = self._ways.get(tenant) or self._new_way(tenant)
            self._ways[tenant] = way
            self._ways.move_to_end(tenant)
            while len(self._ways) > _TENANTS:
                self._ways.popitem(last=False)
        return way

    def _new_way(self, tenant: str) -> _Way:
        sink, table, engine = self._supply.sink, self._supply.table, self._supply.engine
        if tenant != OPERATOR:
            sink = sink.of(tenant) if isinstance(sink, Stamped) else Stamped(sink, tenant)
            table = table and ConfinedTable(table, tenant)
            engine = engine and ConfinedEngine(engine, tenant)
        if table is None or engine is None:
            return _Way(sink, Seen())
        return _Way(sink, Seen(partial(recalled, table, engine, self._supply.clock.now_ns())))


def trusts_all(settings: OtlpGrpcSettings, tls: TlsSettings) -> bool:
    """Tell whether the operator said who reaches this port: the page on loopback says nothing of it."""
    return is_loopback(parse_address(settings.listen)[0]) or bool(settings.allow) or tls.client_ca is not None


def _address(peer: str) -> str:
    """Return the address of a peer as gRPC names it: `ipv4:192.0.2.7:50123`, `ipv6:%5B::1%5D:50123`."""
    found = _PEER.fullmatch(peer)
    return found[1].replace("%5B", "").replace("%5D", "").strip("[]") if found else ""


def _failure(error: Exception) -> tuple[int, str, int]:
    """Return the code and text of a failure, and after how many seconds to come back; 0 = never."""
    match error:
        case DataError():
            return answers.INVALID_ARGUMENT, str(error), 0
        case Overloaded():
            return answers.UNAVAILABLE, str(error), max(1, round(error.retry_after_s))
        case Denied():
            code = answers.code(error.status)
            return code, str(error), error.retry_after_s if code == answers.UNAVAILABLE else 0
    if isinstance(error, TailraceError):
        return answers.UNAVAILABLE, str(error), _RETRY_S
    _LOGGER.error("OTLP request failed", exc_info=error)
    return answers.UNAVAILABLE, "internal error: the log of the process says more", _RETRY_S


def _credentials(settings: TlsSettings) -> Any:  # grpc has no types
    """Return credentials that are read anew for each connection after their files changed."""
    import grpc

    if settings.certificate is None:
        what = "a receiver wants TLS, and no certificate is given"
        raise ConfigError([Problem("$.tls.certificate", what, "name a PEM file")])

    def configuration() -> Any:
        certificate, key, ca = settings.certificate, settings.key or settings.certificate, settings.client_ca
        if certificate is None or key is None:
            return None
        pair = (key.read_bytes(), certificate.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], ca.read_bytes() if ca else None)

    def renewed() -> Any:
        try:
            return configuration()
        except OSError:
            return None  # half of a renewal: the old one stays

    return grpc.dynamic_ssl_server_credentials(configuration(), renewed, settings.client_ca is not None)
