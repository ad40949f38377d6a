"""Why a request failed: whether asking again can help, and if not, what is wrong and who can cure it."""

import re
from enum import Enum, auto
from typing import NamedTuple

from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError


class Cause(Enum):
    """What to do about a failed request."""

    AGAIN = auto()
    """The server, or the way to it: asked again."""
    EXPIRED = auto()
    """The credentials are of yesterday: read anew, once."""
    NOT_THERE = auto()
    """There is no such object; for a request without a body in its answer, perhaps no such bucket either."""
    ALREADY_THERE = auto()
    """There is an object, and there was to be none."""
    CHANGED = auto()
    """The object is another one than before."""
    REFUSED = auto()
    """Wrong until a person changes something."""


class Verdict(NamedTuple):
    """A cause, and for a person: the rule that was violated, and the cure."""

    cause: Cause
    rule: str
    cure: str


class DamagedError(Exception):
    """An answer that ended too soon or too late."""


_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role"
_ENDPOINT = "correct store.endpoint (AWS_ENDPOINT_URL)"

_REFUSALS = {
    "InvalidAccessKeyId": ("is refused: the server knows no such access key", f"correct {_KEYS}"),
    "SignatureDoesNotMatch": (
        "is refused: the secret key does not belong to the access key",
        f"correct {_KEYS}; if they are right, a proxy alters the request",
    ),
    "AuthenticationFailed": ("is refused: the key or token is wrong", "correct the credentials in the environment"),
    "AccessDenied": (
        "is refused to these credentials",
        "grant them read, write, list and delete on it (without list, S3 refuses what is not there, too)",
    ),
    "NoSuchBucket": ("has a bucket that does not exist", f"create it, correct its name, or {_ENDPOINT}"),
    "RequestTimeTooSkewed": ("is refused: this machine's clock is wrong", "set the clock (NTP)"),
    "InvalidRange": ("ends before the bytes that were asked for", "copy it anew"),
    "KeyTooLongError": ("has a longer name than the server takes", "shorten the prefix"),
}
_SAME = {
    "XAdminUserNotFound": "InvalidAccessKeyId",
    "InvalidBucketName": "NoSuchBucket",
    "ContainerNotFound": "NoSuchBucket",
    "ContainerDisabled": "NoSuchBucket",
    "AuthorizationFailure": "AccessDenied",
    "AuthorizationPermissionMismatch": "AccessDenied",
    "AllAccessDisabled": "AccessDenied",
    "AccountIsDisabled": "AccessDenied",
    "RequestExpired": "RequestTimeTooSkewed",
}
_ELSEWHERE = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException")
_EXPIRED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidToken",
    "ExpiredAuthenticationToken",
)
_BUSY = (
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServerBusy",
    "OperationTimedOut",
    "OperationAborted",
    "ConditionalRequestConflict",
    "Throttling",
    "TooManyRequests",
    "BadDigest",
    "IncompleteBody",
    "XAmzContentSHA256Mismatch",
)
_BUSY_STATUS = (408, 425, 429, 500, 502, 503, 504)


def judge(error: BaseError | FileNotFoundError | DamagedError) -> Verdict:
    """What a failure of the library means. Never repeats the server's answer, which may hold parts of a signature."""
    text = str(error)
    code, status = _found(r"<Code>(\w+)</Code>", text), int(_found(r"status code: (\d+)", text) or 0)
    if isinstance(error, DamagedError):
        return Verdict(Cause.AGAIN, str(error), "")
    if code in _EXPIRED:
        return Verdict(Cause.EXPIRED, f"is refused: the credentials have expired ({code})", "renew them")
    if code in _BUSY or (status in _BUSY_STATUS and code not in _REFUSALS):
        return Verdict(Cause.AGAIN, f"answers {status} {code}".rstrip(), "")
    if isinstance(error, AlreadyExistsError):
        return Verdict(Cause.ALREADY_THERE, "is there already", "name another")
    if isinstance(error, PreconditionError):
        return Verdict(Cause.CHANGED, "is being replaced", "wait for the writer to end")
    if refusal := _refusal(code, status, text):
        return Verdict(Cause.REFUSED, *refusal)
    if code == "NoSuchUpload":
        return Verdict(Cause.NOT_THERE, "has lost its parts while it was written", "write it again")
    if isinstance(error, FileNotFoundError) or status == 404:
        return Verdict(Cause.NOT_THERE, "is not there", "check the name")
    return _without_code(code, status, text)


def _refusal(code: str, status: int, text: str) -> tuple[str, str] | None:
    if re.search(r"169\.254\.|/latest/api/token|metadata\.google|/metadata/identity", text):
        # The cloud's word about the machine's own identity, which says nothing of the object.
        return "has no credentials in the environment", f"set {_KEYS} for this process"
    if code in _ELSEWHERE or status == 301 or "Received redirect without LOCATION" in text:
        region = _found(r"<Region>([\w-]+)</Region>", text)
        cure = f"set store.region (AWS_REGION) to {region or 'that of the bucket'}"
        return "has a bucket in another region", cure
    return _REFUSALS.get(_SAME.get(code, code))


def _without_code(code: str, status: int, text: str) -> Verdict:
    if status in (401, 403):
        return Verdict(Cause.REFUSED, *_REFUSALS["AccessDenied"])
    if found := _found(r"(InvalidCertificate\([^)]*|InvalidContentType|HTTPS server)", text):
        kind = re.findall(r"\w+", found)[-1]
        cure = f"{_ENDPOINT}: http:// or https:// as the server speaks; AWS_CA_BUNDLE names a private authority"
        return Verdict(Cause.REFUSED, f"has a server that speaks no https that can be trusted ({kind})", cure)
    if status:
        rule = f"gets the answer {status} {code}".rstrip()
        return Verdict(Cause.REFUSED, rule, f"see the server's documentation, or {_ENDPOINT}")
    if re.search(r"Got invalid [\w ]*response", text):
        return Verdict(Cause.AGAIN, "sends a damaged answer", "")
    if "kind: " not in text:
        return Verdict(Cause.REFUSED, f"cannot be used ({first_line(text)})", "correct the settings or the environment")
    return Verdict(Cause.AGAIN, f"does not answer ({_transport(text)})", "")


def first_line(text: str) -> str:
    """Of what the library says, without the URLs, which may be signed."""
    return re.sub(r"\w+://\S+", "URL", text.strip().splitlines()[0])[:200] if text.strip() else "no reason given"


def _transport(text: str) -> str:
    """The innermost reason of a connection that failed."""
    if "dns error" in text:
        return "the server's name is not known"
    reasons = re.findall(r'message: "([^"]+)"', text)
    if reasons:
        return str(reasons[-1])
    return "no progress in time" if "TimedOut" in text else "connection lost"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""
