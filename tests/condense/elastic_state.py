"""What an API-true Elasticsearch holds: indices with versions and sequence numbers, and the answers to searches.

Only what a condenser uses, but that with the rules of the real one: what was indexed is found after a refresh, a page
has at most 10,000 hits, `after` is an object, a guarded action on a changed document is a conflict. Errors are those of
the real one, in type, reason and status.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

WINDOW = 10_000
BUCKETS = 65_536


class Failure(Exception):  # noqa: N818  it is an answer, not a mistake of ours
    """An answer that is an error."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason = status, kind, reason

    def body(self) -> dict[str, Any]:
        cause = {"type": self.kind, "reason": self.reason}
        return {"error": {"root_cause": [cause], **cause}, "status": self.status}


@dataclass(frozen=True)
class Document:
    id: str
    source: dict[str, Any]
    seq: int
    term: int
    version: int
    shard: int = 0


@dataclass
class Index:
    name: str
    shards: int = 1
    fields: dict[str, str] = field(default_factory=dict)  # explicit types; other texts are text with .keyword
    strict: bool = False
    documents: dict[str, Document] = field(default_factory=dict)
    visible: list[Document] = field(default_factory=list)
    next_seq: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.next_seq = [0] * self.shards

    def refresh(self) -> None:
        self.visible = sorted(self.documents.values(), key=lambda found: (found.shard, found.seq))

    def write(self, id_: str, source: dict[str, Any]) -> Document:
        if self.strict and (names := set(source) - {name.partition(".")[0] for name in self.fields}):
            name = min(names)
            raise Failure(
                400,
                "strict_dynamic_mapping_exception",
                f"mapping set to strict, dynamic introduction of [{name}] within [_doc] is not allowed",
            )
        shard = sum(id_.encode()) % self.shards
        before = self.documents.get(id_)
        made = Document(id_, source, self.next_seq[shard], 1, 1 if before is None else before.version + 1, shard)
        self.next_seq[shard] += 1
        self.documents[id_] = made
        return made

    def delete(self, id_: str) -> Document:
        gone = self.documents.pop(id_)
        self.next_seq[gone.shard] += 1
        return gone

    def guard(self, id_: str, seq: int | None, term: int | None) -> None:
        if seq is None:
            return
        found = self.documents.get(id_)
        wanted = f"[{id_}]: version conflict, required seqNo [{seq}], primary term [{term}]."
        if found is None:
            raise Failure(409, "version_conflict_engine_exception", f"{wanted} but no document was found")
        if (found.seq, found.term) != (seq, term):
            has = f" current document has seqNo [{found.seq}] and primary term [{found.term}]"
            raise Failure(409, "version_conflict_engine_exception", wanted + has)

    def kind(self, name: str) -> str:
        if name == "_seq_no":
            return "long"
        if name in self.fields:
            return self.fields[name]
        return "keyword" if name.endswith(".keyword") else "text"


def resolve(indices: dict[str, Index], pattern: str, *, lenient: bool, hidden: bool) -> list[Index]:
    """Return the indices that a pattern names."""
    found: dict[str, Index] = {}
    for part in pattern.split(","):
        if part.startswith("-"):
            found = {name: index for name, index in found.items() if not fnmatchcase(name, part[1:])}
        elif "*" in part or part == "_all":
            for name, index in sorted(indices.items()):
                if re.fullmatch(re.escape(part.replace("_all", "*")).replace(r"\*", ".*"), name) and (
                    not name.startswith(".") or hidden or part.startswith(".")
                ):
                    found[name] = index
        elif part in indices:
            found[part] = indices[part]
        elif not lenient:
            raise Failure(404, "index_not_found_exception", f"no such index [{part}]")
    return list(found.values())


def value(source: dict[str, Any], name: str) -> Any:
    """Return a member by its dotted name, nested or not; None if there is none."""
    name = name.removesuffix(".keyword")
    here: Any = source
    if name in source:
        return source[name]
    for key in name.split("."):
        if not isinstance(here, dict) or key not in here:
            return None
        here = here[key]
    return here


def values(source: dict[str, Any], name: str) -> list[Any]:
    found = value(source, name)
    return [] if found is None else found if isinstance(found, list) else [found]


def matches(index: Index, document: Document, query: dict[str, Any]) -> bool:
    """Tell whether a document fits a query."""
    if len(query) != 1:
        raise Failure(400, "parsing_exception", "[bool] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    kind, body = next(iter(query.items()))
    if kind == "match_all":
        return True
    if kind == "bool":
        if unknown := set(body) - {"filter", "must", "must_not", "should", "minimum_should_match"}:
            raise Failure(400, "x_content_parse_exception", f"[bool] unknown field [{min(unknown)}]")
        clauses = {name: one if isinstance(one, list) else [one] for name, one in body.items()}
        return (
            all(matches(index, document, one) for name in ("filter", "must") for one in clauses.get(name, []))
            and not any(matches(index, document, one) for one in clauses.get("must_not", []))
            and (not clauses.get("should") or any(matches(index, document, one) for one in clauses["should"]))
        )
    if kind == "exists":
        return bool(values(document.source, body["field"]))
    if kind in ("term", "prefix"):
        [(name, wanted)] = body.items()
        wanted = wanted["value"] if isinstance(wanted, dict) else wanted
        found = [str(one) for one in values(document.source, name)]
        if index.kind(name) == "text":  # an analysed field has words, in lower case
            found = [word for one in found for word in re.findall(r"\w+", one.lower())]
        return any(one == str(wanted) if kind == "term" else one.startswith(wanted) for one in found)
    if kind == "ids":
        return document.id in body["values"]
    raise Failure(400, "parsing_exception", f"unknown query [{kind}]")


def composite(indices: list[Index], found: list[tuple[Index, Document]], body: dict[str, Any]) -> dict[str, Any]:
    """Return one page of a composite aggregation."""
    about = body["composite"]
    size, sources, after = about.get("size", 10), about.get("sources"), about.get("after")
    if not sources:
        raise Failure(400, "illegal_argument_exception", "Composite [sources] cannot be null or empty")
    if after is not None and not isinstance(after, dict):
        kind = "VALUE_STRING" if isinstance(after, str) else "VALUE_NUMBER"
        raise Failure(400, "x_content_parse_exception", f"[composite] after doesn't support values of type: {kind}")
    if size > BUCKETS:
        raise Failure(
            400,
            "illegal_argument_exception",
            f"Trying to create too many buckets. Must be less than or equal to: [{BUCKETS}]",
        )
    names = [next(iter(source)) for source in sources]
    if after is not None and set(after) != set(names):
        raise Failure(
            400, "illegal_argument_exception", f"[after] has {len(after)} value(s) but [sources] has {len(names)}"
        )
    terms = [source[name]["terms"] for name, source in zip(names, sources, strict=True)]
    for term in terms:
        for index in indices:
            aggregatable(index, term["field"])
    groups: dict[tuple[str, ...], list[tuple[Index, Document]]] = {}
    for index, document in found:
        key: list[str] = []
        for term in terms:
            held = values(document.source, term["field"])
            if not held and not term.get("missing_bucket"):
                break
            key.append("1" + str(held[0]) if held else "0")  # what is missing comes first
        else:
            groups.setdefault(tuple(key), []).append((index, document))
    ordered = sorted(groups)
    if after is not None:
        last = tuple("0" if after[name] is None else "1" + str(after[name]) for name in names)
        ordered = [key for key in ordered if key > last]
    buckets = []
    for key in ordered[:size]:
        shown = {name: None if part == "0" else part[1:] for name, part in zip(names, key, strict=True)}
        inner = {name: metric(groups[key], one) for name, one in body.get("aggs", body.get("aggregations", {})).items()}
        buckets.append({"key": shown, "doc_count": len(groups[key]), **inner})
    return {"buckets": buckets, **({"after_key": buckets[-1]["key"]} if buckets else {})}


def aggregatable(index: Index, name: str) -> None:
    if index.kind(name) == "text":
        raise Failure(
            400,
            "illegal_argument_exception",
            f"Fielddata is disabled on [{name}] in [{index.name}]. Text fields are not optimised for operations that "
            "require per-document field data like aggregations and sorting",
        )


def metric(found: list[tuple[Index, Document]], body: dict[str, Any]) -> dict[str, Any]:
    kind, about = next(iter(body.items()))
    if kind != "stats" or about["field"] != "_seq_no":
        raise Failure(400, "parsing_exception", f"Unknown aggregation type [{kind}]")
    numbers = [float(document.seq) for _, document in found]
    return {
        "count": len(numbers),
        "min": min(numbers),
        "max": max(numbers),
        "avg": sum(numbers) / len(numbers),
        "sum": sum(numbers),
    }


def filtered(source: dict[str, Any], wanted: Any) -> dict[str, Any]:
    """Return the members that `_source` asks for."""
    if wanted is True or wanted is None:
        return source
    if wanted is False:
        return {}
    kept: dict[str, Any] = {}
    for name in [wanted] if isinstance(wanted, str) else wanted:
        if name in source:
            kept[name] = source[name]
            continue
        found = value(source, name)
        if found is None:
            continue
        here = kept
        *outer, last = name.split(".")
        for key in outer:
            here = here.setdefault(key, {})
        here[last] = copy.deepcopy(found)
    return kept
