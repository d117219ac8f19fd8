"""`tailrace server`: keep a table and answer; agents send to it."""

from tailrace.cli import options, output


def server(
    config: options.ConfigFile = None,
    data: options.Data = None,
    listen: options.Listen = None,
) -> None:
    """Keep the table, take what agents and others send, and serve the page; read no files of this machine.

    Several servers may share one table: on object storage, or on one disk. Stop it with Ctrl-C or SIGTERM: what was
    acknowledged is durable.

    For example:

        tailrace server --config server.yaml

        tailrace server --data /srv/tailrace --listen 127.0.0.1:9080
    """
    from tailrace.config.load import resolve
    from tailrace.serve import run

    loaded = resolve(config, {"data": data, "listen": listen, "sources": []})
    run(loaded.config, announce=output.note)
