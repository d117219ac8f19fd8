"""Channels against what receives them: files, a collector over HTTP, receivers over gRPC with and without TLS."""

import json
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import polars as pl
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tailrace.channels import FileChannel, GrpcChannel, OtlpChannel, PrometheusChannel, StdoutChannel, StoreChannel
from tailrace.errors import ConfigError, TransientError
from tailrace.receiver import Receiver
from tailrace.sinks.channels.make import make
from tailrace.sinks.channels.outbox import Outbox
from tailrace.sinks.channels.tracer_messages import Metric, metrics
from tailrace.telemetry import Accounts

ROWS = pl.DataFrame(
    {
        "_time_ns": [1_767_323_045_000_000_001, 1_767_323_046_000_000_000],
        "_observed_ns": [5, 6],
        "_stream": ['{host="h", service_name="web"}', '{host="h", service_name="db"}'],
        "_line": ["first", "größe"],
        "_level": ["warn", None],
        "status": [500, None],
        "took": [0.5, None],
        "ok": [True, None],
    }
)
ALERT = pl.DataFrame(
    {
        "_time_ns": [5], "_observed_ns": [5], "_stream": ['{event="open"}'], "_line": ["{…} Filename"], "_count": [250], "_passed": [2],
        "name": ["open"], "timestamp": [77], "pid": [7], "ret": [-2], "flags": [1], "hash": [-1],
        "args_filename": ["/tmp/a.txt"], "args_flags": [577], "args_mode": [420],
    }
)  # fmt: skip


def one(settings, accounts=None):
    return make([settings], accounts or Accounts())[settings.name]


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("form", "rows", "text"),
    [
        ("text", ROWS, "first\ngröße\n"),
        ("events", ALERT, "COUNT: 250\nEVENT: {…} Filename\n\n"),
        ("events", ROWS, "COUNT: 1\nEVENT: first\n\nCOUNT: 1\nEVENT: größe\n\n"),
    ],
)
def test_a_file_gets_text(tmp_path, form, rows, text):
    path = tmp_path / "made" / "out.txt"
    channel = one(FileChannel(name="f", path=str(path), format=form))
    channel.send(rows)
    channel.send(rows)
    channel.close()
    assert path.read_text() == text * 2
    assert channel.counters == {"sent": 2 * len(rows), "given_up": 0, "waiting": 0}


def test_a_file_gets_json(tmp_path):
    path = tmp_path / "out.jsonl"
    channel = one(FileChannel(name="f", path=str(path), format="json"))
    channel.send(ROWS)
    channel.send(ALERT)
    channel.close()
    first, second, alert = (json.loads(line) for line in path.read_text().splitlines())
    assert first == {
        "time": "2026-01-02T03:04:05.000000001Z",
        "labels": {"host": "h", "service_name": "web"},
        "line": "first",
        "level": "warn",
        "fields": {"status": 500, "took": 0.5, "ok": True},
    }
    assert second["fields"] == {}
    assert (alert["count"], alert["passed"], alert["fields"]["args_filename"]) == (250, 2, "/tmp/a.txt")


def test_a_file_that_is_rotated_away_is_made_again(tmp_path):
    path = tmp_path / "out.txt"
    channel = one(FileChannel(name="f", path=str(path)))
    channel.send(ROWS)
    wait_for(lambda: channel.counters["sent"] == 2)
    path.rename(tmp_path / "out.txt.1")
    channel.send(ROWS)
    channel.close()
    assert path.read_text() == (tmp_path / "out.txt.1").read_text()


def test_standard_output(capsys):
    channel = one(StdoutChannel(name="s"))
    channel.send(ROWS)
    channel.close()
    assert capsys.readouterr().out == "first\ngröße\n"


def test_counting():
    accounts = Accounts()
    channel = one(PrometheusChannel(name="p"), accounts)
    channel.send(ALERT)
    channel.send(ALERT)
    text = accounts.render()[0].decode()
    assert 'tailrace_channel_events_total{channel="p",event="open"} 500.0' in text


def test_rows_for_the_table_need_no_channel():
    assert make([StoreChannel(name="t")], Accounts()) == {}


def test_a_slow_channel_keeps_nobody_waiting_and_counts_what_it_gives_up():
    held, delivered = threading.Event(), []

    def deliver(rows):
        held.wait(10)
        delivered.append(rows["_line"].to_list())

    channel = Outbox("slow", 4, deliver)
    channel.send(ROWS)
    wait_for(lambda: channel.counters["waiting"] == 2 and not channel._rows)
    for _ in range(3):
        channel.send(ROWS)
    assert channel.counters == {"sent": 0, "given_up": 4, "waiting": 4}
    held.set()
    channel.close()
    assert delivered == [["first", "größe"]] * 2


def test_a_channel_that_fails_for_now_is_tried_again():
    tries = []

    def deliver(rows):
        tries.append(len(rows))
        if len(tries) < 3:
            raise TransientError("away")

    channel = Outbox("flaky", 100, deliver)
    channel.send(ROWS)
    wait_for(lambda: channel.counters["sent"] == 2)
    channel.close()
    assert tries == [2, 2, 2]


def test_a_channel_that_fails_for_good_goes_on_with_the_next_rows():
    def deliver(rows):
        if rows["_line"][0] == "first":
            raise ValueError("no")

    channel = Outbox("picky", 100, deliver)
    channel.send(ROWS)
    wait_for(lambda: channel.counters["given_up"] == 2)
    channel.send(ROWS.tail(1))
    channel.close()
    assert channel.counters == {"sent": 1, "given_up": 2, "waiting": 0}


class Collector(BaseHTTPRequestHandler):
    bodies: list[bytes] = []  # noqa: RUF012
    answers: list[int] = []  # noqa: RUF012

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.bodies.append(body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def collector():
    Collector.bodies, Collector.answers = [], []
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def check_logs(request):
    web, db = request.resource_logs
    assert {pair.key: pair.value.string_value for pair in web.resource.attributes} == {
        "host.name": "h",
        "service.name": "web",
    }
    (record,) = web.scope_logs[0].log_records
    assert (record.time_unix_nano, record.body.string_value, record.severity_number, record.severity_text) == (
        1_767_323_045_000_000_001, "first", 13, "WARN",
    )  # fmt: skip
    values = {pair.key: pair.value for pair in record.attributes}
    assert (values["status"].int_value, values["took"].double_value, values["ok"].bool_value) == (500, 0.5, True)
    assert db.scope_logs[0].log_records[0].body.string_value == "größe"


def test_otlp_over_http_is_tried_again_when_the_receiver_is_busy(collector):
    Collector.answers = [503, 429]
    channel = one(OtlpChannel(name="o", url=collector))
    channel.send(ROWS)
    wait_for(lambda: channel.counters["sent"] == 2)
    channel.close()
    check_logs(ExportLogsServiceRequest.FromString(Collector.bodies[0]))


def test_otlp_over_http_gives_up_what_the_receiver_refuses(collector):
    Collector.answers = [400]
    channel = one(OtlpChannel(name="o", url=collector))
    channel.send(ROWS)
    wait_for(lambda: channel.counters["given_up"] == 2)
    channel.close()


@pytest.fixture
def receiver():
    receiver = Receiver("127.0.0.1:0", keep=10)
    receiver.start()
    yield receiver
    receiver.stop()


def test_otlp_over_grpc(receiver):
    channel = one(GrpcChannel(name="g", path=f"127.0.0.1:{receiver.port}", insecure=True))
    channel.send(ROWS)
    wait_for(lambda: channel.counters["sent"] == 2)
    channel.close()
    check_logs(receiver.messages[0])
    assert receiver.top() == [("log", 2)]


def test_one_stream_of_the_traces_own_messages(receiver):
    channel = one(GrpcChannel(name="g", path=f"127.0.0.1:{receiver.port}", insecure=True, format="traceleft"))
    channel.send(ALERT)
    channel.send(ALERT.with_columns(name=pl.lit("openat")))
    channel.close()
    wait_for(lambda: receiver.top() == [("open", 250), ("openat", 250)])
    first, second = receiver.messages
    assert first.open.filename == b"/tmp/a.txt"
    assert not second.HasField("open")


def test_a_receiver_that_comes_late_gets_everything():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    channel = one(GrpcChannel(name="g", path=f"127.0.0.1:{port}", insecure=True, format="traceleft"))
    channel.send(ALERT)
    wait_for(lambda: channel.counters["waiting"] == 1 and not channel._rows)
    late = Receiver(f"127.0.0.1:{port}")
    late.start()
    wait_for(lambda: channel.counters["sent"] == 1, 90)
    channel.close()
    wait_for(lambda: late.top() == [("open", 250)], 60)
    late.stop()


def test_a_port_that_is_taken_is_refused(receiver):
    with pytest.raises(RuntimeError):
        Receiver(f"127.0.0.1:{receiver.port}")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_tls_needs_a_certificate_of_the_receivers_name(tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            key,
            "-out",
            cert,
        ],
        check=True,
        capture_output=True,
    )
    receiver = Receiver("localhost:0", key=key.read_bytes(), certificate=cert.read_bytes())
    receiver.start()
    trusting = GrpcChannel(name="g", path=f"localhost:{receiver.port}", ca_file=str(cert))
    channel = one(trusting)
    channel.send(ALERT)
    channel.close()
    assert receiver.top() == [("open", 250)]
    receiver.stop()


def test_the_numbers_of_the_traces_messages():
    """Tags worked out by hand: (number << 3) | wire type."""
    (metric,) = metrics(ALERT)
    body = b"\x0a\x0a/tmp/a.txt" + b"\x10\xc1\x04" + b"\x18\xa4\x03"  # filename 1, flags 2 = 577, mode 3 = 420
    event = (
        b"\x08\x4d"  # timestamp 1 = 77
        b"\x10\x07"  # pid 2 = 7
        b"\x18\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # ret 3 = -2
        b"\x22\x04open"  # name 4
        b"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # hash 5
        b"\x30\x01"  # flags 6
    )
    assert metric.SerializeToString() == (
        b"\x08\xfa\x01" + b"\x12" + bytes([len(event)]) + event + b"\x72" + bytes([len(body)]) + body
    )
    assert Metric.FromString(metric.SerializeToString()) == metric


@pytest.mark.parametrize(
    ("row", "check"),
    [
        ({"name": "write", "args_fd": 3, "args_buf": "hello", "args_count": 5}, lambda m: (m.write.fd, m.write.buf, m.write.count) == (3, b"hello", 5)),
        ({"name": "fchmodat", "args_dfd": -100, "args_filename": "a", "args_mode": 1}, lambda m: m.fchmodat.dfd == -100),
        ({"name": "connect_v4", "saddr": "10.0.0.1", "daddr": "1.2.3.4", "sport": 9, "dport": 80, "netns": 5}, lambda m: (m.connect_v4.saddr, m.connect_v4.dport) == (0x0A000001, 80)),
        ({"name": "connect_v6", "saddr": "::1", "daddr": "fe80::1", "sport": 9, "dport": 80, "netns": 5}, lambda m: m.connect_v6.daddr == "fe80::1"),
        ({"name": "chown", "args_filename": "a", "args_user": 0, "args_group": 4294967295}, lambda m: m.chown.group == 4294967295),
        ({"name": "mkdir", "args_pathname": "x" * 300, "args_mode": 1}, lambda m: len(m.mkdir.pathname) == 256),
        ({"name": "unlink", "args_pathname": "x"}, lambda m: m.common_event.name == "unlink"),
    ],
)  # fmt: skip
def test_arguments_of_each_kind(row, check):
    (metric,) = metrics(pl.DataFrame([row]))
    assert check(metric)


def test_a_missing_certificate_is_said_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        one(GrpcChannel(name="g", path="localhost:1", ca_file=str(tmp_path / "none.pem")))


def test_a_receiver_that_takes_nothing_lets_the_channel_end_soon(monkeypatch):
    monkeypatch.setattr("tailrace.sinks.channels.outbox.CLOSE_S", 0.3)
    monkeypatch.setattr("tailrace.sinks.channels.grpc_stream.END_S", 0.3)
    release = threading.Event()

    def process(requests, context):
        release.wait(30)
        return b""

    handler = grpc.stream_unary_rpc_method_handler(process)
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("tracer.MetricCollector", {"Process": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    wide = ALERT.with_columns(args_filename=pl.lit("x" * 250))
    channel = one(GrpcChannel(name="g", path=f"127.0.0.1:{port}", format="traceleft", insecure=True, queue=10**6))
    for _ in range(20):
        channel.send(pl.concat([wide] * 500))
    begun = time.monotonic()
    channel.close()
    assert time.monotonic() - begun < 5
    release.set()
    server.stop(None)


def test_what_the_protocol_has_no_room_for_is_sent_beside_it():
    row = ALERT.with_columns(
        name=pl.lit("fchmod"), program_id=pl.lit(4), hash=pl.lit("18446744073709551615"),
        args_fd=pl.lit(3), args_fd_path=pl.lit("/a"), _stream=pl.lit('{group="g", stream="s"}'),
    )  # fmt: skip
    message = metrics(row)[0]
    assert (message.stream, message.group, message.common_event.program_id) == ("s", "g", 4)
    assert (message.fchmod.fd, message.fchmod.mode, message.fchmod.fd_path) == (3, 420, "/a")
    assert message.common_event.hash == 2**64 - 1


def test_an_argument_that_is_no_number_spoils_nothing():
    rows = pl.concat([ALERT.with_columns(args_flags=pl.lit("O_WRONLY")), ALERT.with_columns(args_flags=pl.lit("577"))])
    assert [message.open.flags for message in metrics(rows)] == [0, 577]
    bad = ALERT.with_columns(name=pl.lit("connect_v4"), saddr=pl.lit("10.0.0.999"), daddr=pl.lit("10.0.0.2"))
    assert (metrics(bad)[0].connect_v4.saddr, metrics(bad)[0].connect_v4.daddr) == (0, 0x0A000002)
