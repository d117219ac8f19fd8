import threading
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

from intake import certificates
from intake.otlp.messages import T, record, request
from tailrace.access.guard import Guard
from tailrace.access.model import ANONYMOUS, Denied
from tailrace.access.settings import TlsSettings
from tailrace.clock import ManualClock
from tailrace.errors import ConfigError, TransientError
from tailrace.intake.gate import Gate
from tailrace.intake.listeners import Supply
from tailrace.intake.otlp.settings import OtlpGrpcSettings
from tailrace.intake.otlp_grpc import OtlpGrpc, trusts_all
from tailrace.intake.settings import IntakeSettings
from tailrace.limits import INTAKE_BYTES, MIB
from tailrace.registry import find
from tailrace.telemetry import Accounts
from web.conftest import NOW_NS, FakeSink, wait_until


class House:
    def __init__(self, sink: FakeSink, gate: Gate, accounts: Accounts, port: int) -> None:
        self.sink, self.gate, self.accounts, self.port = sink, gate, accounts, port
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_retries", 0)])
        self.stub = LogsServiceStub(self.channel)

    def refused(self, message, **more) -> grpc.Call:
        with pytest.raises(grpc.RpcError) as caught:
            self.stub.Export(message, timeout=60, **more)
        return caught.value

    def raw(self, body: bytes):
        return self.channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")(body, timeout=60)


@contextmanager
def receiver(guard: Guard | None = None, outcome="done", **settings):
    clock, accounts = ManualClock(NOW_NS), Accounts()
    sink = FakeSink(outcome)
    gate = Gate(IntakeSettings(), clock=clock, accounts=accounts)
    listener = OtlpGrpc(OtlpGrpcSettings(listen="127.0.0.1:0", **settings), Supply(sink, gate, accounts, clock, guard))
    listener.start()
    house = House(sink, gate, accounts, listener.port)
    try:
        yield house
    finally:
        for future in sink.futures:
            if not future.done():
                future.set_result(None)
        house.channel.close()
        listener.stop()


@pytest.fixture(scope="module")
def house():
    with receiver(labels={"site": "b"}) as made:
        yield made


def details(call: grpc.Call) -> bytes:
    return dict(call.trailing_metadata()).get("grpc-status-details-bin", b"")


def test_records_are_rows_and_the_answer_is_empty(house) -> None:
    answer = house.stub.Export(request(record("a"), record("b", T + 1)), timeout=60)
    assert answer == ExportLogsServiceResponse()
    frame = house.sink.batches[-1].frame
    assert frame["_line"].to_list() == ["a", "b"]
    assert frame["_time_ns"].to_list() == [T, T + 1]
    assert set(frame["_stream"]) == {'{service_name="cart", site="b"}'}
    assert house.gate.bytes == 0


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed(house, compression) -> None:
    house.stub.Export(request(record("packed" * 100)), timeout=60, compression=compression)
    assert house.sink.batches[-1].frame["_line"].to_list() == ["packed" * 100]


def test_nothing_succeeds_and_stores_nothing(house) -> None:
    before = len(house.sink.batches)
    house.stub.Export(request(), timeout=60)
    assert house.raw(b"") == b""
    assert len(house.sink.batches) == before


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\xff" * 20,
        b"\x0b",
        b"hello",
        request(record("x")).SerializeToString()[:-3],
        b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    ],
)
def test_what_is_no_request_is_refused_for_good(house, body) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        house.raw(body)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "malformed protobuf" in caught.value.details()
    assert house.gate.bytes == 0


def test_a_repeated_key_is_left_out(house) -> None:
    sent = request(record("a", attributes={"log.record.uid": "1"}), record("b", attributes={"log.record.uid": "2"}))
    house.stub.Export(sent, timeout=60)
    assert house.sink.batches[-1].frame["_line"].to_list() == ["a", "b"]
    before = len(house.sink.batches)
    house.stub.Export(sent, timeout=60)
    assert len(house.sink.batches) == before


def test_it_is_found_by_its_type() -> None:
    assert find("receiver", OtlpGrpcSettings().type) is OtlpGrpc


def test_other_services_are_not_here(house) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        house.channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(b"", timeout=60)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("outcome", [TransientError("the disk is full"), "refuse", ValueError("a bug")])
def test_trouble_is_to_be_tried_again(outcome) -> None:
    with receiver(outcome=outcome) as house:
        call = house.refused(request(record()))
        assert call.code() == grpc.StatusCode.UNAVAILABLE
        assert b"google.rpc.RetryInfo" in details(call)
        assert "bug" not in call.details()


def test_too_much_at_once_is_to_be_tried_again() -> None:
    with receiver(message_bytes=2 * MIB) as house, house.gate.request("127.0.0.1", INTAKE_BYTES - MIB, receiver="x"):
        call = house.refused(request(record("x" * MIB)))
        assert call.code() == grpc.StatusCode.UNAVAILABLE
        assert b"google.rpc.RetryInfo" in details(call)


def test_a_message_that_is_too_large_is_refused_for_good_packed_or_not() -> None:
    with receiver(message_bytes=MIB) as house:
        large = request(record("x" * 2 * MIB))
        assert house.refused(large).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        packed = house.refused(large, compression=grpc.Compression.Gzip)
        assert packed.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert house.sink.batches == []


def test_the_answer_waits_for_the_store() -> None:
    with receiver(outcome="wait") as house:
        answers: list[object] = []
        asking = threading.Thread(target=lambda: answers.append(house.stub.Export(request(record()), timeout=60)))
        asking.start()
        wait_until(lambda: house.sink.futures, 60)
        assert answers == []
        assert house.gate.bytes > 0
        house.sink.futures[0].set_result(None)
        asking.join(60)
        assert answers == [ExportLogsServiceResponse()]


class Tokens:
    """Knows one token."""

    def admit(self, token, scope, peer, tenant=""):
        assert (scope, peer) == ("push", "127.0.0.1")
        if token != "trl_good":
            raise Denied(401, "a token is needed")

        class Principal:
            tenant = "acme"

        return Principal()

    open = False
    tenants = True


GOOD = "trl_0123456789_" + "x" * 43


class Open(Guard):
    def __init__(self) -> None:
        pass

    def admit(self, token, scope, peer, tenant=""):
        assert (token, scope) == (GOOD, "push")
        return ANONYMOUS

    open = True
    tenants = False


def test_a_token_is_asked_for_and_says_whose_rows_they_are() -> None:
    with receiver(guard=Tokens()) as house:
        assert house.refused(request(record())).code() == grpc.StatusCode.UNAUTHENTICATED
        bad = house.refused(request(record()), metadata=[("authorization", "Bearer trl_bad")])
        assert bad.code() == grpc.StatusCode.UNAUTHENTICATED
        house.stub.Export(request(record()), timeout=60, metadata=[("authorization", "Bearer trl_good")])
        [batch] = house.sink.batches
        assert batch.frame["_stream"].to_list() == ['{__tenant_id__="acme", service_name="cart"}']


@pytest.mark.parametrize(
    ("settings", "tls", "all_trusted"),
    [
        ({"listen": "127.0.0.1:0"}, TlsSettings(), True),
        ({"listen": "0.0.0.0:0", "tls": True}, TlsSettings(certificate=Path("c.pem")), False),
        ({"listen": "[::]:0", "tls": True}, TlsSettings(certificate=Path("c.pem"), client_ca=Path("ca.pem")), True),
        ({"listen": "0.0.0.0:0", "allow": ["10.0.0.0/8"]}, TlsSettings(), True),
    ],
)
def test_that_the_page_is_open_says_nothing_of_a_port_that_others_reach(settings, tls, all_trusted) -> None:
    assert trusts_all(OtlpGrpcSettings(**settings), tls) is all_trusted


def test_a_port_that_others_reach_asks_for_tokens_though_the_page_is_open(monkeypatch) -> None:
    monkeypatch.setattr("tailrace.intake.otlp_grpc.trusts_all", lambda *_: False)
    with receiver(guard=Open()) as house:
        assert house.refused(request(record())).code() == grpc.StatusCode.UNAUTHENTICATED
        house.stub.Export(request(record()), timeout=60, metadata=[("authorization", "Bearer " + GOOD)])


def test_only_those_who_may_send_are_heard() -> None:
    with receiver(allow=("10.0.0.0/8",)) as house:
        assert house.refused(request(record())).code() == grpc.StatusCode.PERMISSION_DENIED
    with receiver(allow=("127.0.0.0/8",)) as house:
        house.stub.Export(request(record()), timeout=60)


def test_a_port_that_is_taken_is_said(house) -> None:
    settings = OtlpGrpcSettings(listen=f"127.0.0.1:{house.port}")
    with pytest.raises(ConfigError, match="cannot listen"):
        OtlpGrpc(settings, Supply(house.sink, house.gate, house.accounts, ManualClock(NOW_NS)))


def test_tls_lets_in_who_has_a_certificate_and_shows_a_renewed_one(tmp_path) -> None:
    clock, accounts, sink = ManualClock(NOW_NS), Accounts(), FakeSink()
    gate = Gate(IntakeSettings(), clock=clock, accounts=accounts)
    made = certificates.make(tmp_path)
    tls = TlsSettings(certificate=made.server, key=made.server_key, client_ca=made.authority)
    settings = OtlpGrpcSettings(listen="127.0.0.1:0", tls=True)
    listener = OtlpGrpc(settings, Supply(sink, gate, accounts, clock, tls_settings=tls))
    listener.start()

    def send(ca: bytes, *pair: bytes) -> object:
        credentials = grpc.ssl_channel_credentials(ca, *pair)
        with grpc.secure_channel(f"127.0.0.1:{listener.port}", credentials) as channel:
            return LogsServiceStub(channel).Export(request(record()), timeout=60)

    pair = made.client_key.read_bytes(), made.client.read_bytes()
    authority = made.authority.read_bytes()
    assert send(authority, *pair) == ExportLogsServiceResponse()
    with pytest.raises(grpc.RpcError) as caught:
        send(authority)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    renewed = certificates.make(tmp_path)  # under the same names, of another authority
    with pytest.raises(grpc.RpcError):
        send(authority, *pair)
    again = renewed.client_key.read_bytes(), renewed.client.read_bytes()
    assert send(renewed.authority.read_bytes(), *again) == ExportLogsServiceResponse()
    listener.stop()
    assert len(sink.batches) == 2


def test_tls_without_a_certificate_is_a_mistake(house) -> None:
    settings = OtlpGrpcSettings(listen="127.0.0.1:0", tls=True)
    with pytest.raises(ConfigError, match="certificate"):
        OtlpGrpc(settings, Supply(house.sink, house.gate, house.accounts, ManualClock(NOW_NS)))
