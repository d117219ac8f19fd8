"""What failures of object storage mean; requests themselves are in `test_place` and `test_objects`."""

from __future__ import annotations

import pytest
from deltalake.exceptions import CommitFailedError
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

from tailrace.errors import TableError, TransientError
from tailrace.store.bucket import Bucket, failure
from tailrace.store.commit import is_conflict
from tailrace.store.failures import meaning

WHERE = "s3://logs/prod/logs"
AWAY = "Generic S3 error: Error performing PUT http://h/b/k in 1s, after 4 retries - HTTP error: error sending request"


@pytest.mark.parametrize(
    ("error", "family", "said"),
    [
        (GenericError(AWAY), TransientError, "writing failed: Generic S3 error"),
        (OSError(f"Kernel error -> {AWAY}"), TransientError, "writing failed"),
        (CommitFailedError(AWAY), TransientError, "writing failed"),
        (GenericError("Generic GCS error: 503 Service Unavailable"), TransientError, "503"),
        (PermissionDeniedError("The operation lacked the necessary privileges"), TableError, "check the credentials"),
        (UnauthenticatedError("no"), TableError, "check the credentials"),
        (OSError("Generic S3 error: ... <Code>SignatureDoesNotMatch</Code>"), TableError, "check the credentials"),
        (GenericError("Generic S3 error: GET http://169.254.169.254/latest failed"), TableError, "no credentials"),
        (FileNotFoundError("404 <Code>NoSuchBucket</Code>"), TableError, "there is no bucket 'logs'"),
    ],
)
def test_failures_go_to_who_can_act(error: Exception, family: type[Exception], said: str) -> None:
    for found in (failure(WHERE, "writing", error), meaning(error, WHERE, "writing")):
        assert type(found) is family
        assert str(found).startswith(f"{WHERE}: ")
        assert said in str(found)


def test_other_failures_are_no_business_of_object_storage() -> None:
    assert failure(WHERE, "writing", OSError(28, "No space left on device")) is None
    assert failure(WHERE, "writing", ValueError("x")) is None


def test_a_network_that_failed_is_no_conflict() -> None:
    assert not is_conflict(CommitFailedError(AWAY))
    assert is_conflict(CommitFailedError("a concurrent transaction deleted data this operation read"))


def test_what_signs_a_request_is_not_repeated() -> None:
    error = GenericError("Generic S3 error: GET https://h/k?X-Amz-Signature=abcdef&X-Amz-Credential=AKIA123 failed")
    found = str(failure(WHERE, "reading", error))
    assert "abcdef" not in found
    assert "AKIA123" not in found


def test_several_at_once_keep_their_order() -> None:
    bucket = Bucket("s3://logs/x")
    assert bucket.each(lambda number: number * 2, range(50)) == [number * 2 for number in range(50)]
    assert bucket.each(str, []) == []
    with pytest.raises(ZeroDivisionError):
        bucket.each(lambda number: 1 // number, [1, 0, 2])
