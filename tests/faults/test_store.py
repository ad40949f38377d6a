"""A store on a real server, with each fault between them: the right bytes, or one line that says what is wrong."""

import os
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.faults import injected
from tests.faults.proxy import Exchange, Fault, Proxy, well
from tests.s3 import Bucket, new_server
from trainer.data.store.opening import open_store
from trainer.data.store.store import AlreadyThere, Range, Store
from trainer.errors import CxrError, DataError, StoreDown

MEBIBYTE = 2**20
CONTENT = os.urandom(12 * MEBIBYTE)

PASSING: dict[str, Fault] = {
    "reset before the answer": injected.reset,
    "answer lost": injected.answer_lost,
    "reset in mid-body": injected.reset_after(3 * MEBIBYTE),
    "body cut short": injected.cut_after(3 * MEBIBYTE),
    "stall before the answer": injected.stalled,
    "stall in mid-body": injected.stalled_after(3 * MEBIBYTE),
    "500": injected.says(500, "InternalError"),
    "502 of a proxy": injected.says(502, ""),
    "503": injected.says(503, "SlowDown"),
    "429": injected.says(429, "TooManyRequests"),
    "400 RequestTimeout": injected.says(400, "RequestTimeout"),
    "409 OperationAborted": injected.says(409, "OperationAborted"),
}
"""What another try helps against."""

LASTING: dict[str, tuple[Fault, str]] = {
    "wrong key": (injected.says(403, "InvalidAccessKeyId"), "knows no such access key; correct AWS_ACCESS_KEY_ID"),
    "wrong secret": (injected.says(403, "SignatureDoesNotMatch"), "secret key does not belong to the access key"),
    "access denied": (injected.says(403, "AccessDenied"), "is refused to these credentials; grant them"),
    "missing bucket": (injected.says(404, "NoSuchBucket"), "bucket that does not exist; create it"),
    "wrong region": (
        injected.says(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
        "bucket in another region; set store.region .* to eu-west-1",
    ),
    "redirect": (injected.says(301, "PermanentRedirect"), "bucket in another region; set store.region"),
    "clock skew": (injected.says(403, "RequestTimeTooSkewed"), "this machine's clock is wrong; set the clock"),
    "expired": (injected.says(400, "ExpiredToken"), "the credentials have expired .*; renew them"),
    "anything else": (injected.says(418, "Teapot"), "gets the answer 418 Teapot; see the server's documentation"),
}
"""What only a person helps against."""


@pytest.fixture
def store(bucket: Bucket) -> Store:
    behind = around_the_proxy(bucket)
    behind.write("large", CONTENT)
    behind.write("small", b"small")
    return open_store(f"{bucket.url}/films", bucket.config, "data.training")


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_waited_for(store: Store, proxy: Proxy, fault: Fault) -> None:
    def under(matches: injected.Matches = injected.any_request) -> None:
        proxy.fault = injected.first(2, fault, matches)

    under()
    assert store.read("large") == CONTENT
    under()
    assert store.read_ranges("large", [Range(5, 9 * MEBIBYTE), Range(0, 5)]) == [CONTENT[5 : 9 * MEBIBYTE], CONTENT[:5]]
    under()
    assert store.size("large") == len(CONTENT)
    under()
    assert [each.name for each in store.entries()] == ["large", "small"]
    under()
    store.write("written", b"x")
    under()
    store.create("created", b"y")
    under()
    store.delete(["written", "created"])
    assert [each.name for each in store.entries()] == ["large", "small"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "fault",
    [PASSING[name] for name in ("reset before the answer", "answer lost", "stall before the answer", "500", "503")],
)
def test_a_large_object_is_written_in_spite_of_what_passes(
    store: Store, proxy: Proxy, fault: Fault, method: str, tmp_path: Path
) -> None:
    proxy.fault = injected.first(2, fault, lambda request: request.method == method)
    write_in_parts(store, "parts")
    (tmp_path / "file").write_bytes(CONTENT)
    proxy.fault = injected.first(2, fault, lambda request: request.method == method)
    store.upload("file", tmp_path / "file")
    assert (store.read("parts"), store.read("file")) == (CONTENT, CONTENT)


def test_the_answer_to_the_last_request_of_a_large_object_may_be_lost(store: Store, proxy: Proxy) -> None:
    proxy.fault = injected.first(
        1, injected.answer_lost, lambda request: "uploadId" in request.path and request.method == "POST"
    )
    write_in_parts(store, "parts")
    assert store.read("parts") == CONTENT


@pytest.mark.parametrize("mebibytes", [0, 3, 11])
@pytest.mark.parametrize("fault", [injected.reset_after, injected.cut_after, injected.stalled_after])
def test_a_body_that_breaks_off_is_resumed_from_the_byte_reached(
    store: Store, proxy: Proxy, fault: Callable[[int], Fault], mebibytes: int
) -> None:
    proxy.fault = injected.first(1, fault(mebibytes * MEBIBYTE), injected.reads)
    proxy.requests.clear()
    assert store.read("large") == CONTENT
    assert [request.method for request in proxy.requests] == ["GET", "GET"]
    if mebibytes and fault is not injected.reset_after:
        # A reset throws away what has come and was not read yet.
        start = int(proxy.requests[1].range.removeprefix("bytes=").partition("-")[0])
        assert mebibytes * MEBIBYTE - 1.5 * MEBIBYTE <= start <= mebibytes * MEBIBYTE


def test_a_body_that_breaks_off_again_and_again_gets_there_as_long_as_it_progresses(store: Store, proxy: Proxy) -> None:
    proxy.fault = injected.always(injected.cut_after(2 * MEBIBYTE), injected.reads)
    assert store.read("large") == CONTENT
    assert store.read_ranges("large", [Range(1, 7 * MEBIBYTE)]) == [CONTENT[1 : 7 * MEBIBYTE]]


def test_the_rest_of_another_object_is_no_rest(store: Store, bucket: Bucket, proxy: Proxy) -> None:
    other = bytes(reversed(CONTENT))

    def replaced(exchange: Exchange) -> None:
        exchange.send(exchange.forward(), upto=3 * MEBIBYTE)
        around_the_proxy(bucket).write("large", other)
        exchange.close()

    proxy.fault = injected.first(1, replaced, injected.reads)
    assert store.read("large") == other


def test_an_object_that_is_replaced_for_ever_is_given_up(bucket: Bucket, proxy: Proxy) -> None:
    store = open_store(f"{bucket.url}/films", bucket.config.model_copy(update={"retry_seconds": 1.0}), "data.training")
    behind = around_the_proxy(bucket)
    behind.write("large", CONTENT)
    written = count()

    def replaced(exchange: Exchange) -> None:
        answer = exchange.forward()
        exchange.send(answer, upto=3 * MEBIBYTE)
        behind.write("large", CONTENT + bytes(next(written)))
        exchange.close()

    proxy.fault = injected.always(replaced, injected.reads)
    with pytest.raises(StoreDown):
        store.read("large")


def test_a_range_of_the_wrong_length_is_asked_again(store: Store, proxy: Proxy) -> None:
    proxy.fault = injected.first(2, injected.shortened_by(100), injected.reads)
    assert store.read_ranges("large", [Range(7, 5 * MEBIBYTE)]) == [CONTENT[7 : 5 * MEBIBYTE]]


def test_a_damaged_listing_is_asked_again(store: Store, proxy: Proxy) -> None:
    for fault in (injected.altered, injected.shortened_by(100)):
        proxy.fault = injected.first(2, fault)
        assert [each.name for each in store.entries()] == ["large", "small"]


def test_a_slow_line_is_no_stall(store: Store, proxy: Proxy) -> None:
    proxy.fault = injected.always(injected.slow(200_000))
    assert store.read_ranges("large", [Range(0, 200_000)]) == [CONTENT[:200_000]]
    assert len(proxy.requests) == len({*proxy.requests})


def test_a_slow_upload_is_no_stall(bucket: Bucket, proxy: Proxy) -> None:
    settings = bucket.config.model_copy(update={"slowest_kilobytes_per_second": 1000.0})
    proxy.fault = injected.always(injected.slow_to_take(5e6), injected.writes)
    write_in_parts(open_store(f"{bucket.url}/films", settings, "data.training"), "parts")
    # One to begin, three parts that each take longer than a request may say nothing, one to end.
    assert [request.method for request in proxy.requests].count("PUT") == 3
    assert len(proxy.requests) == 5
    assert around_the_proxy(bucket).read("parts") == CONTENT


def test_a_listing_that_breaks_off_goes_on_after_the_last_name(bucket: Bucket, proxy: Proxy) -> None:
    names = [f"{number:05}" for number in range(10_050)]
    (bucket.folder / "films").mkdir()
    for name in names:
        (bucket.folder / "films" / name).touch()
    store = open_store(f"{bucket.url}/films", bucket.config, "data.training")
    proxy.fault = injected.first(4, well, then=injected.first(1, injected.reset))
    assert [each.name for each in store.entries()] == names
    assert len(proxy.requests) == 12
    store.delete(names[1:])
    assert [each.name for each in store.entries()] == names[:1]


@pytest.mark.parametrize(("fault", "words"), LASTING.values(), ids=LASTING.keys())
def test_what_lasts_is_said_at_once_in_one_line(
    bucket: Bucket, proxy: Proxy, fault: Fault, words: str, tmp_path: Path
) -> None:
    store = open_store(f"{bucket.url}/films", bucket.config, "data.training")
    proxy.fault = injected.always(fault)
    (tmp_path / "file").write_bytes(CONTENT)
    uses: list[Callable[[], object]] = [
        lambda: store.read("large"),
        lambda: store.read_ranges("large", [Range(0, 5)]),
        lambda: store.size("large"),
        lambda: list(store.entries()),
        store.folders,
        lambda: store.write("a", b""),
        lambda: store.create("a", b""),
        lambda: store.delete(["a"]),
        lambda: store.upload("a", tmp_path / "file"),
    ]
    for use in uses:
        proxy.requests.clear()
        with pytest.raises(DataError, match=words) as raised:
            use()
        assert not isinstance(raised.value, AlreadyThere)
        assert says_one_line(raised.value, bucket)
        assert len(proxy.requests) <= 3


@pytest.mark.parametrize("fault", ["500", "reset before the answer", "stall before the answer", "429"])
def test_what_does_not_pass_in_time_is_worth_another_try_later(bucket: Bucket, proxy: Proxy, fault: str) -> None:
    store = open_store(bucket.url, bucket.config.model_copy(update={"retry_seconds": 0.5}), "data.training")
    proxy.fault = injected.always(PASSING[fault])
    uses: list[Callable[[], object]] = [
        lambda: store.read("large"),
        lambda: store.size("large"),
        lambda: list(store.entries()),
        lambda: store.write("a", b""),
        lambda: store.create("a", b""),
        lambda: store.delete(["a"]),
        lambda: write_in_parts(store, "a"),
    ]
    for use in uses:
        with pytest.raises(StoreDown, match=r"s3://bucket-\d+.*; check the server and the way to it") as raised:
            use()
        assert raised.value.exit_code == 145
        assert says_one_line(raised.value, bucket)


def test_expired_credentials_are_read_anew(store: Store, proxy: Proxy) -> None:
    expired = injected.says(400, "ExpiredToken")
    proxy.fault = injected.first(1, expired)
    assert store.read("large") == CONTENT
    proxy.fault = injected.first(1, expired)
    assert [each.name for each in store.entries()] == ["large", "small"]


def test_credentials_that_expire_under_a_large_object_are_read_anew_for_the_next_try(
    store: Store, proxy: Proxy
) -> None:
    proxy.fault = injected.first(1, injected.says(400, "ExpiredToken"), lambda request: request.method == "PUT")
    with pytest.raises(StoreDown, match=r"expired .*write it again"):
        write_in_parts(store, "parts")
    write_in_parts(store, "parts")
    assert store.read("parts") == CONTENT


def test_a_refused_connection_is_tried_until_it_is_taken(store: Store, proxy: Proxy) -> None:
    proxy.shut()
    back = threading.Timer(0.5, proxy.listen)
    back.start()
    assert store.read("large") == CONTENT
    back.join()


def test_a_server_that_restarts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = new_server(tmp_path)
    bucket = server.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    store = open_store(bucket.url, bucket.config.model_copy(update={"retry_seconds": 30.0}), "data.training")
    store.write("large", CONTENT)
    server.stop()
    back = threading.Timer(0.5, server.start)
    back.start()
    assert store.read("large") == CONTENT
    back.join()
    server.stop()
    back = threading.Timer(0.5, server.start)
    back.start()
    store.write("small", b"small")
    back.join()
    assert store.read("small") == b"small"
    server.stop()


def test_a_server_that_restarts_under_a_large_object_gets_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server(tmp_path)
    bucket = server.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    store = open_store(bucket.url, bucket.config.model_copy(update={"retry_seconds": 30.0}), "data.training")
    with store.writing("parts") as sink:
        sink.write(CONTENT[: 9 * MEBIBYTE])
        server.stop()
        back = threading.Timer(0.5, server.start)
        back.start()
        sink.write(CONTENT[9 * MEBIBYTE :])
    back.join()
    assert store.read("parts") == CONTENT
    server.stop()


def test_a_server_that_dies_under_a_large_object_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = new_server(tmp_path)
    bucket = server.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    store = open_store(bucket.url, bucket.config.model_copy(update={"retry_seconds": 0.5}), "data.training")
    store.write("parts", b"before")

    def write() -> None:
        with store.writing("parts") as sink:
            sink.write(CONTENT[: 9 * MEBIBYTE])
            server.stop()
            sink.write(CONTENT[9 * MEBIBYTE :])

    with pytest.raises(StoreDown):
        write()
    server.start()
    assert store.read("parts") == b"before"
    server.stop()


def test_what_its_writer_gives_up_leaves_no_parts_on_the_server(store: Store, bucket: Bucket) -> None:
    def give_up() -> None:
        with store.writing("parts") as sink:
            sink.write(CONTENT)
            raise RuntimeError("given up")

    with pytest.raises(RuntimeError, match="given up"):
        give_up()
    assert [each for each in (bucket.folder / ".sgwtmp" / "multipart").rglob("*") if each.is_file()] == []


def test_who_creates_knows_it_when_the_answer_is_lost(store: Store, proxy: Proxy) -> None:
    proxy.fault = injected.first(1, injected.answer_lost, injected.writes)
    store.create("lock", b"mine")
    with pytest.raises(AlreadyThere):
        store.create("lock", b"mine")


def around_the_proxy(bucket: Bucket) -> Store:
    settings = bucket.config.model_copy(update={"endpoint": bucket.environment["AWS_ENDPOINT_URL"]})
    return open_store(f"{bucket.url}/films", settings, "data.training")


def write_in_parts(store: Store, name: str) -> None:
    with store.writing(name) as sink:
        for start in range(0, len(CONTENT), MEBIBYTE):
            sink.write(CONTENT[start : start + MEBIBYTE])


def says_one_line(error: CxrError, bucket: Bucket) -> bool:
    """And no secret, nor what the server said besides."""
    text = str(error)
    secrets = (bucket.environment["AWS_SECRET_ACCESS_KEY"], bucket.environment["AWS_ACCESS_KEY_ID"], "<", "Signature=")
    return "\n" not in text and not any(secret in text for secret in secrets) and error.__cause__ is None
