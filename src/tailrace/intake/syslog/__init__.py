"""Syslog over UDP, TCP and TLS: messages as they are framed, parsed in turns, durable rows."""
