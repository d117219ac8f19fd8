"""`tailrace receive`: show what arrives over gRPC, to try an aggregation spec or a channel."""

import threading
from pathlib import Path
from typing import Annotated

import typer

from tailrace.cli import output
from tailrace.errors import ConfigError, Problem


def receive(
    address: Annotated[
        str,
        typer.Option(
            "--addr", "--address", "-addr", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one."
        ),
    ] = "127.0.0.1:50051",
    refresh: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Time between two tables.")] = 5.0,
    top: Annotated[int, typer.Option(min=1, help="How many names to show.")] = 10,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain as PEM; turns TLS on.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Private key of the certificate as PEM.")] = None,
) -> None:
    """Listen for gRPC channels and print which events arrive most, again and again, until Ctrl-C.

    It takes OTLP logs and the messages of an aggregation spec's `grpc` channels.

    For example:

        tailrace receive --addr 127.0.0.1:50051
    """
    try:
        from tailrace.receiver import Receiver
    except ModuleNotFoundError as error:
        hint = "install tailrace with the extra: tailrace[otlp]"
        raise ConfigError([Problem("receive", f"needs {error.name}, which is not installed", hint)]) from error
    from tailrace.agent import stop_on_signals

    certificate, key = _pem(tls_cert, "--tls-cert"), _pem(tls_key, "--tls-key")
    if (certificate is None) != (key is None):
        raise ConfigError([Problem("receive", "TLS needs both --tls-cert and --tls-key", "give both, or none")])
    try:
        receiver = Receiver(address, key=key, certificate=certificate)
    except RuntimeError as error:
        raise ConfigError([Problem(f"--addr {address}", "cannot listen there", "is the port taken?")]) from error
    receiver.start()
    output.note(f"listening on port {receiver.port}")
    stopping = threading.Event()
    shown: list[tuple[str, int]] = []
    with stop_on_signals(stopping.set):
        while not stopping.wait(refresh):
            if (counts := receiver.top(top)) != shown:
                shown = counts
                _show(shown)
    receiver.stop()
    if (counts := receiver.top(top)) != shown:
        _show(counts)


def _show(counts: list[tuple[str, int]]) -> None:
    for name, count in counts:
        output.line(f"{count:>12} {name}")
    output.line("")


def _pem(path: Path | None, option: str) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(f"{option} {path}", str(error.strerror), "give a file that can be read")]) from error
