"""What the words of servers mean that no test can start: Google's, Azure's, AWS's own."""

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

from trainer.data.store.causes import Cause, DamagedError, judge


def answer(status: int, code: str) -> str:
    """As the library quotes it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Signature=abc key</Message></Error>"
    return f"Error performing GET https://b/a?sig=secret in 1ms - Server returned non-2xx status code: {status}: {body}"


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (403, "RequestTimeTooSkewed", Cause.REFUSED),
        (403, "AuthenticationFailed", Cause.REFUSED),
        (403, "AuthorizationPermissionMismatch", Cause.REFUSED),
        (404, "ContainerNotFound", Cause.REFUSED),
        (404, "NoSuchBucket", Cause.REFUSED),
        (301, "PermanentRedirect", Cause.REFUSED),
        (405, "MethodNotAllowed", Cause.REFUSED),
        (501, "NotImplemented", Cause.REFUSED),
        (404, "NoSuchKey", Cause.NOT_THERE),
        (404, "BlobNotFound", Cause.NOT_THERE),
        (404, "NoSuchUpload", Cause.NOT_THERE),
        (400, "ExpiredToken", Cause.EXPIRED),
        (403, "ExpiredTokenException", Cause.EXPIRED),
        (503, "ServerBusy", Cause.AGAIN),
        (503, "SlowDown", Cause.AGAIN),
        (500, "OperationTimedOut", Cause.AGAIN),
        (400, "RequestTimeout", Cause.AGAIN),
        (400, "XAmzContentSHA256Mismatch", Cause.AGAIN),
        (400, "BadDigest", Cause.AGAIN),
        (409, "ConditionalRequestConflict", Cause.AGAIN),
        (429, "anything", Cause.AGAIN),
        (504, "", Cause.AGAIN),
    ],
)
def test_a_code_of_a_cloud_has_a_cause(status: int, code: str, cause: Cause) -> None:
    verdict = judge(GenericError(answer(status, code)))
    assert verdict.cause is cause
    assert verdict.rule
    assert verdict.cure or cause is Cause.AGAIN


@pytest.mark.parametrize("kind", [GenericError, PermissionDeniedError, UnauthenticatedError])
def test_nothing_of_a_servers_answer_is_repeated_but_its_code(kind: type[Exception]) -> None:
    for status, code in ((403, "AccessDenied"), (400, "Strange"), (403, ""), (401, "Odd")):
        verdict = judge(kind(answer(status, code)))  # type: ignore[arg-type]
        assert not any(each in verdict.rule + verdict.cure for each in ("secret", "Signature", "abc", "<"))


@pytest.mark.parametrize(
    "text",
    [
        "Error performing PUT http://169.254.169.254/latest/api/token in 1s - HTTP error: kind: Connect",
        "Error performing GET http://metadata.google.internal/computeMetadata/v1 in 1s - status code: 404 Not Found",
        "Error performing GET http://169.254.169.254/metadata/identity/oauth2/token - status code: 400 Bad Request",
    ],
)
def test_a_machine_without_an_identity_has_no_credentials(text: str) -> None:
    verdict = judge(GenericError(text))
    assert (verdict.cause, verdict.rule) == (Cause.REFUSED, "has no credentials in the environment")


def test_what_is_unknown_is_told_without_urls() -> None:
    verdict = judge(GenericError("Odd thing at https://b.blob.core.windows.net/c?sig=secret happened\nDebug source: x"))
    assert verdict == (
        Cause.REFUSED,
        "cannot be used (Odd thing at URL happened)",
        "correct the settings or the environment",
    )


def test_a_damaged_body_is_asked_for_again() -> None:
    assert judge(DamagedError("sends too little")).cause is Cause.AGAIN
