"""Condense file events in Elasticsearch or OpenSearch: of all documents of a path the newest stays, while it lives.

`settings` says what is asked for, `client` talks to the cluster, `documents` makes columns of what it answers, `decide`
says what becomes of each document (pure, by the twin's own fold), `sending` has it done in batches, `running` is one
pass and the service.
"""

from tailrace.condense.running import Condenser, Report, Service
from tailrace.condense.settings import Settings

__all__ = ["Condenser", "Report", "Service", "Settings"]
