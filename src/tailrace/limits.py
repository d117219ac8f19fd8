"""Every bound of the program, with its unit and its reason, in one place."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# --- config -----------------------------------------------------------------------------------

CONFIG_BYTES: Final = 1 * MIB
"""Length of a configuration file; a longer one was not meant."""

CONFIG_NODES: Final = 100_000
"""Values of a configuration with its anchors written out: a few lines of anchors can make billions."""

# --- tail -------------------------------------------------------------------------------------

READ_BLOCK_BYTES: Final = 1 * MIB
"""Largest read from one file in one turn: keeps a thousand busy files fair to each other."""

READ_TURN_BYTES: Final = 8 * MIB
"""Largest sum of one turn over all files; one turn is parsed as one frame (measured: larger is not faster)."""

LINE_BYTES: Final = 1 * MIB
"""A longer line is cut into linked parts of this size, so that memory stays bounded."""

RESCAN_S: Final = 10.0
"""Safety rescan of folders: events are hints, a scan is the truth."""

OPEN_FILES: Final = 256
"""Files that a source may hold open, or a quarter of what the process may (`ulimit -n`), if that is less; idle ones
are closed and found again by identity."""

UNLINKED_BYTES: Final = 1 * GIB
"""Size of all deleted files that are kept open to read their rest; beyond it the oldest are read first and closed."""

UNLINKED_S: Final = 300.0
"""Time that a deleted file is kept open for a writer that goes on in it; what is there by then is read."""

UNPACK_TURN_BYTES: Final = 32 * MIB
"""Decompressed bytes that one turn passes over on the way to an offset: about 0.1 s of gzip."""

UNPACK_FILES: Final = 2
"""Compressed files that are read at once: each holds the window of its decompressor, with `xz -9` 65 MiB."""

# --- parse ------------------------------------------------------------------------------------

DETECT_LINES: Final = 64
"""Lines from the head of a file that format detection looks at."""

OPEN_RECORD_BYTES: Final = 32 * MIB
"""Bytes of open records that one source holds back; beyond, the oldest go out as they are."""

OPEN_RECORDS: Final = 65_536
"""Open records that one source holds back; beyond, the oldest go out as they are."""

PART_WAIT_S: Final = 10.0
"""Time that the parts of a container's line wait for the last one: a rotated file counts as finished after two
seconds, and its writer may hesitate."""

MULTILINE_LINES: Final = 1_000
"""Lines of one multi-line record; a longer one goes out in linked parts."""

MULTILINE_BYTES: Final = 256 * KIB
"""Bytes of one multi-line record; a longer one goes out in linked parts."""

MULTILINE_WAIT_S: Final = 3.0
"""Time after which a multi-line record is complete, if no line came: longer than a rotation takes to be sure of."""

LINK_S: Final = 3_600.0
"""Time for which it is remembered that a record went out without its end, to link what may still come."""

QUOTED_LINES: Final = 100
"""Lines of one record of a table; a quote that stands open for longer was not meant."""

HEADERS: Final = 4_096
"""Files with a header line (CSV) whose header is remembered, in memory and in the checkpoint."""

FIELD_COLUMNS: Final = 512
"""Field columns of the table; further fields go to the JSON column `_more`."""

FRAME_VALUES: Final = 16_000_000
"""Rows times field columns of one frame, 128 to 256 MiB; of more rows fewer members get a column, the others go to
`_more`. Records without gaps stay below it: 64 MiB of them are no more than 11 million values of one digit."""

FIELD_DEPTH: Final = 8
"""Nesting levels of a record that are flattened; what is deeper stays JSON text."""

FIELD_NAME_BYTES: Final = 200
"""A longer field name goes to `_more`: it is data, not a name."""

# --- commit -----------------------------------------------------------------------------------

COMMIT_INTERVAL_S: Final = 1.0
"""At most one commit per interval when little arrives."""

COMMIT_ROWS: Final = 200_000
"""A commit of this many rows does not wait for the interval (bounds memory while importing)."""

COMMIT_BYTES: Final = 64 * MIB
"""A commit of this many bytes of input does not wait for the interval."""

COMMIT_QUEUE: Final = 1
"""Batches that may wait for the committer; a full queue stops the readers (back-pressure)."""

PARSERS: Final = 2
"""Turns of one source that are parsed at once."""

TURN_QUEUE: Final = 1
"""Turns that may wait, parsed or in a parser, to be gathered into a batch, over all sources."""

MARKS_S: Final = 10.0
"""Time after which news of positions without any line are written down; before, a crash looks at the files again."""

DRAIN_S: Final = 20.0
"""Time that a stop waits for what was read to become durable; after that the position has it read again."""

# --- store ------------------------------------------------------------------------------------

SEGMENT_BYTES: Final = 128 * MIB
"""Size at which a compacted segment is left alone."""

ROW_GROUP_ROWS: Final = 131_072
"""Rows of a Parquet row group: small enough to skip, large enough to compress."""

STATS_COLUMNS: Final = 64
"""Columns that get minimum, maximum and null count in the table's log."""

SKIP_ROWS: Final = ROW_GROUP_ROWS // 2
"""Rows from which a segment gets a skip index: a smaller one is read as fast."""

SKIP_SHARE: Final = 0.08
"""Size of a skip index, as a share of its segment; what would make it larger is left out of it."""

SKIP_CACHE_BYTES: Final = 64 * MIB
"""Skip indexes that are kept open: their headers and lists of words."""

RETENTION_DAYS: Final = 30
"""Default age, by event time or arrival, whichever is later, after which segments go."""

RETENTION_DISK_SHARE: Final = 0.8
"""Default share of the disk that the table may fill before its oldest segments go."""

# --- query ------------------------------------------------------------------------------------

QUERY_BYTES: Final = 131_071
"""Length of a query's text."""

ENTRIES_LIMIT: Final = 5_000
"""Entries that one request on the Loki API may ask for."""

ENTRIES_DEFAULT: Final = 100
"""Entries that a request gets when it does not say."""

FIELDS_DEFAULT: Final = 1_000
"""Detected fields, or values of one, that a request gets when it does not say."""

PATTERN_LINES: Final = 1_000_000
"""Lines that patterns are found in, the newest; beyond, the answer says that it is not complete."""

PATTERN_CHARS: Final = 4_096
"""Characters of a line that its pattern is made of."""

PATTERNS: Final = 500
"""Patterns of one answer, those with the most lines."""

MASKED_LINES: Final = 20_000
"""Distinct lines, after what varies in words was masked, that one search for patterns holds."""

LINES_HELD_BYTES: Final = 1 * GIB
"""Size of the lines that one answer without a limit may hold; more of them are read page by page."""

NEWEST_LINES: Final = 1_000
"""Most lines of an answer whose parts are remembered per segment."""

NEWEST_ROWS_CACHED: Final = 50_000
"""Lines of such parts that are remembered over all queries: about 30 MB."""

TOTALS_ROWS: Final = 250_000
"""Lines of the largest segment whose totals are remembered per question."""

TOTALS_HELD: Final = 200_000
"""Rows of such totals that are remembered over all questions: about 20 MB."""

TICKS_HELD: Final = 1_000_000
"""Totals of large segments by the second that queries keep: some 50 MB, and a histogram of 100 M rows by level."""

POINTS_LIMIT: Final = 11_000
"""Points per series of a range query."""

SERIES_LIMIT: Final = 500
"""Series of one metric query's answer."""

LABEL_SETS: Final = 100_000
"""Label sets that a metric query may hold before they are aggregated: bounds its memory."""

RANKED_SETS: Final = 1_000_000
"""Label sets that a metric query may hold of which only the largest are wanted: their totals, not their windows."""

VALUES_HELD: Final = 20_000_000
"""Unwrapped values that a metric query may hold at once, where totals are not enough: about 1 GiB."""

SCAN_BYTES: Final = 2 * GIB
"""Segments read between two looks at the clock; a query over more runs in several scans."""

QUERY_TIMEOUT_S: Final = 60.0
"""Time after which a query is given up."""

# --- web --------------------------------------------------------------------------------------

PUSH_BODY_BYTES: Final = 64 * MIB
"""Largest push request, after decompression."""

LIVE_TAILS: Final = 32
"""Live tails that one process serves at once."""

TAILS: Final = 10
"""Live tails over websockets that one process serves at once, as Loki allows a tenant."""

TAIL_DELAY_S: Final = 5
"""Longest time that a live tail may hold lines back."""

DELETES: Final = 1_000
"""Deletions that may wait at once."""

DELETE_WAIT_S: Final = 60.0
"""Time that a deletion can be cancelled before it begins."""

DELETE_KEPT_S: Final = 7 * 86_400.0
"""Time that a deletion that is done stays on the list."""

LIVE_ROWS: Final = 1_000
"""Lines that one live tail sends per second; what is over is counted and said."""

QUERIES_AT_ONCE: Final = 4
"""Queries of the HTTP API that run at the same time; each uses all cores, more would only share them out."""

QUERIES_WAITING: Final = 512
"""Queries that may wait for their turn, each holding no more than its text; the next one is answered 429."""

LATEST: Final = 32
"""Answers of log queries that are kept to be given again while nothing new comes."""

LATEST_BYTES: Final = 1 * MIB
"""Largest answer that is kept."""

PUSHES_AT_ONCE: Final = 2
"""Push requests that are decoded at the same time: decoding is what takes memory, and it keeps a core busy."""

PUSHES_WAITING: Final = 64
"""Push requests between their first byte and their commit; the next is told to come back."""

INTAKE_BYTES: Final = 256 * MIB
"""Bytes of all receivers, HTTP and others, between their arrival and their commit."""

SHIP_BODY_BYTES: Final = 64 * MIB
"""Largest batch of an agent as it is sent; one of 64 MiB of lines takes about 10 MiB."""

SHIP_EXPANDED_BYTES: Final = 128 * MIB
"""Largest batch of an agent in memory, which gathers 16 MiB of lines and a turn: fields may take several times that."""

SHIP_DAYS: Final = 10_000
"""Days that the lines of one batch of an agent may spread over: each day of a commit is a file of its own."""

SHIP_EARLY: Final = 8
"""How often a batch that nothing is before is found to come too early before that is taken as trouble."""

SHIP_QUEUE_BYTES: Final = 16 * MIB
"""Batches, as sent, that an agent holds until a server has them; with more of them reading waits."""

INTAKE_CONNECTIONS: Final = 2_000
"""Open connections of all receivers other than HTTP; each may hold a chunk and the beginning of a message."""

CLIENT_CONNECTIONS: Final = 200
"""Open connections of one client among them."""

SYSLOG_MESSAGE_BYTES: Final = 64 * KIB
"""Longest syslog message; longer ones are cut. Senders of RFC 5424 need 2 KiB, a datagram holds no more than this."""

SYSLOG_UDP_BUFFER_BYTES: Final = 8 * MIB
"""Datagrams that the kernel is asked to hold while a turn is parsed."""

FORWARD_CHUNK_BYTES: Final = 16 * MIB
"""Longest chunk of Fluent Forward, packed and unpacked; Fluentd sends 8 MiB by default."""

RECEIVER_LABELS: Final = 10_000
"""Streams that one receiver makes of names that messages bring (hosts, programs); further ones share `__other__`."""

GATE_CLIENTS: Final = 10_000
"""Clients of which it is remembered what they sent of late; idle ones are forgotten first."""

PUSH_REPEATS: Final = 200_000
"""Pushed entries that are remembered to recognise a repeat, about 80 bytes each."""

PUSH_RECALL_S: Final = 3_600.0
"""Time before a start whose pushed entries are read back: senders that repeat a push give up long before."""

PUSH_KEYS: Final = 10_000
"""Idempotency keys of pushes that are remembered."""

PUSH_DOCUMENTS: Final = 200_000
"""Actions of one `_bulk` request: the smallest take 15 bytes there and some 500 here."""

JSON_SIGNS: Final = 3_000_000
"""Brackets, braces and commas of one JSON document: each may become an object of Python, of 100 bytes and more."""

PUSH_LINES: Final = 1_000_000
"""Lines or entries of one push: empty ones take two bytes there and 100 here."""

OTLP_VALUES: Final = 4_000_000
"""Records times columns of attributes in one OTLP request, 64 MiB; attributes beyond it are in `_more`. The largest
batches of collectors, 8,192 records, have 488 columns."""

OTLP_MESSAGE_BYTES: Final = 4 * MIB
"""Largest OTLP request over gRPC, as OpenTelemetry's own receiver takes it."""

OTLP_BODY_BYTES: Final = 20 * MIB
"""Largest OTLP request over HTTP, after decompression, as OpenTelemetry's own receiver takes it."""

OTLP_RECORDS: Final = 500_000
"""Log records, or groups of them, of one request: empty ones take two bytes there and 400 here."""

OTLP_ATTRIBUTES: Final = 1_000_000
"""Attributes of the log records of one request, for the same reason."""

OTLP_WORKERS: Final = 32
"""OTLP requests over gRPC that are under way at once; each waits for its commit in a thread."""

PUSH_DAYS: Final = 1_000
"""Days that the lines of one push may spread over: each day of a commit is a file of its own."""

FORM_BYTES: Final = 1 * MIB
"""Largest body of a query sent as a form."""

BASELINE_BYTES: Final = 128 * MIB
"""Largest baseline that is sent to the page: one of a million files with hashes has about 80 MiB."""

BASELINE_VALUES: Final = 100_000_000
"""Rows times columns of a baseline that is sent to the page: five million files, more than its bytes hold."""

# --- reduce -----------------------------------------------------------------------------------

RULE_BYTES: Final = 16_384
"""Length of a rule's text."""

RULE_DEPTH: Final = 64
"""Brackets and negations of a rule inside each other."""

# --- metrics from logs ------------------------------------------------------------------------

METRIC_SERIES: Final = 1_000
"""Series of one metric from logs when it does not say; further ones are counted together as `__other__`."""

METRIC_SESSIONS: Final = 10_000
"""Open sessions (connections, transfers) that are remembered at once to be joined with their later lines."""

NATIVE_BUCKETS: Final = 160
"""Buckets of one native histogram; beyond, neighbours are merged, which halves its resolution."""

STEPS: Final = 256
"""Steps of a spec."""

STEP_KEYS: Final = 10_000
"""Keys that a step remembers by default: buckets, groups of a window, rows that are held."""

STEP_KEYS_MOST: Final = 1_000_000
"""The most that it may be told to remember: all of it is in memory, and in the checkpoint."""

HELD_BYTES: Final = 64 * MIB
"""Text of the rows that one step holds back; beyond it rows go on at once."""

TOP_VALUES: Final = 1_000
"""Values that one `topk` counts by name in one group of one window; further ones are counted together."""

PANES: Final = 120
"""Steps that one sliding window may be made of: each row counts for as many windows."""

# --- twin -------------------------------------------------------------------------------------

TWIN_SEGMENT_ROWS: Final = 32_768
"""Living paths of one file of the table `files`: few enough that a change rewrites little."""

TWIN_TAKE_ROWS: Final = 50_000
"""Events that the twin takes in one commit, about: what it holds in memory while it makes records of them."""

TWIN_TAIL_ROWS: Final = 50_000
"""Records that the keeper lets lie before it condenses them: every answer folds them. Also the most of one file."""

TWIN_CONDENSE_ROWS: Final = 250_000
"""Records that one pass of condensing folds at once when it is asked for: about 300 MB."""

TWIN_ACTS_S: Final = 3_600.0
"""Time for which it is remembered what was removed and moved, for records that come late and out of order."""

TWIN_HISTORY_DAYS: Final = 30
"""Age of the oldest past state that is kept, one a day; as old as the events in `logs` by default."""

# --- rollups ----------------------------------------------------------------------------------

METRICS: Final = 1_000
"""Metrics of a data folder: each commit of the table is read once for each."""

DASHBOARDS: Final = 1_000
"""Dashboards of a control database: the page lists all of them."""

PANELS: Final = 60
"""Panels of a dashboard: each is a query, and all of them are asked whenever the page is looked at."""

TITLE_CHARS: Final = 200
"""Characters of the name of a dashboard or a panel: more do not fit on a line."""

ROLLUP_STEP_ROWS: Final = 5_000_000
"""Lines read for one metric in one step of filling it in, about: after each the process may stop and go on later."""

ROLLUP_SETS: Final = 100_000
"""Label sets of one metric in one commit; where there are more it is read from the lines."""

ROLLUP_VALUES: Final = 4_096
"""Different values of a bucket and label set that are kept as they are; where there are more, a sketch is."""

ROLLUP_BEHIND: Final = 1_000
"""Commits that a question looks into for itself; with more of them, nobody keeps the rollups, it reads all lines."""

ROLLUP_PARTS: Final = 16
"""Spans that a question reads one by one; with more of them it reads all lines at once."""

# --- alerts -----------------------------------------------------------------------------------

RULES_BYTES: Final = 16 * MIB
"""Length of a rule file: those of ten thousand rules, written by programs, have two to five MiB."""

RULES_NODES: Final = 1_000_000
"""Values of a rule file: a rule has about ten."""

TEMPLATE_QUERIES_S: Final = 10.0
"""Seconds after which a template of a rule asks no further query: the rules behind it wait."""

TEMPLATE_QUERIES: Final = 100
"""Queries that one template of a rule may ask when it is filled in: a loop over hosts asks one for each."""

SECRET_BYTES: Final = 64 * KIB
"""Length of a file that holds a secret of a receiver: a longer one is something else."""

ALERTS_A_REQUEST: Final = 64
"""Alerts that an Alertmanager is sent at once, as Prometheus does."""

FOREIGN_ALERTS: Final = 100_000
"""Alerts from elsewhere that are known at once: more are refused, and their senders come again."""

MESSAGE_ALERTS: Final = 50
"""Alerts that a message to people lists; the rest is counted."""

# --- object storage ---------------------------------------------------------------------------

OBJECT_CACHE_BYTES: Final = 10 * 1024 * MIB
"""Bytes of segments of a table in object storage that lie in the data folder: about a day of a busy machine's logs."""
