"""The faults themselves: each is done to an exchange, and ``first`` bounds how often."""

import threading
from collections.abc import Callable

from tests.faults.proxy import Answer, Exchange, Fault, Request, well

Matches = Callable[[Request], bool]


def any_request(request: Request) -> bool:
    return bool(request)


def reads(request: Request) -> bool:
    """Of objects, not of listings."""
    return request.method == "GET" and "list-type" not in request.path


def writes(request: Request) -> bool:
    return request.method in ("PUT", "POST")


def first(count: int, fault: Fault, matches: Matches = any_request, then: Fault = well) -> Fault:
    """The fault for the first so many requests that match; for those that match after them, what comes ``then``."""
    left, counting = [count], threading.Lock()

    def done(exchange: Exchange) -> None:
        with counting:
            matched = matches(exchange.request)
            struck = matched and left[0] > 0
            left[0] -= struck
        (fault if struck else then if matched else well)(exchange)

    return done


def always(fault: Fault, matches: Matches = any_request) -> Fault:
    """The fault for every request that matches."""

    def done(exchange: Exchange) -> None:
        (fault if matches(exchange.request) else well)(exchange)

    return done


def every(number: int, fault: Fault, matches: Matches = any_request) -> Fault:
    """The fault for each request of that number, of those that match, beginning with the first."""
    came, counting = [0], threading.Lock()

    def done(exchange: Exchange) -> None:
        with counting:
            matched = matches(exchange.request)
            came[0] += matched
            struck = matched and came[0] % number == 1
        (fault if struck else well)(exchange)

    return done


def from_the(number: int, fault: Fault, matches: Matches = any_request) -> Fault:
    """The fault from that request on, of those that match."""
    return first(number, well, matches, then=fault)


def at_the(number: int, action: Callable[[], object], matches: Matches = any_request) -> Fault:
    """Something else happens before that request, of those that match, is sent on."""

    def done(exchange: Exchange) -> None:
        action()
        well(exchange)

    return first(number - 1, well, matches, then=first(1, done, matches))


def once_each(fault: Fault, matches: Matches = any_request) -> Fault:
    """The fault for the first request of each kind, of those that match."""
    came: set[Request] = set()

    def done(exchange: Exchange) -> None:
        struck = matches(exchange.request) and exchange.request not in came
        came.add(exchange.request)
        (fault if struck else well)(exchange)

    return done


def reset(exchange: Exchange) -> None:
    """Before any answer."""
    exchange.reset()


def answer_lost(exchange: Exchange) -> None:
    """The server has done it; the client never hears so."""
    exchange.forward()
    exchange.reset()


def reset_after(count: int) -> Fault:
    """In mid-body."""

    def done(exchange: Exchange) -> None:
        exchange.send(exchange.forward(), upto=count)
        exchange.reset()

    return done


def cut_after(count: int) -> Fault:
    """The body ends too soon, as a proxy that gives up ends it."""

    def done(exchange: Exchange) -> None:
        exchange.send(exchange.forward(), upto=count)
        exchange.close()

    return done


def shortened_by(count: int) -> Fault:
    """The body ends too soon, and its head says so too."""

    def done(exchange: Exchange) -> None:
        answer = exchange.forward()
        body = answer.body[: max(0, len(answer.body) - count)]
        exchange.send(Answer(answer.status, [], body)._replace(headers=_without_length(answer)))

    return done


def stalled_after(count: int) -> Fault:
    """In mid-body, for as long as the test lasts."""

    def done(exchange: Exchange) -> None:
        exchange.send(exchange.forward(), upto=count)
        exchange.stall()

    return done


def stalled(exchange: Exchange) -> None:
    """Before any answer."""
    exchange.stall()


def slow(bytes_per_second: float) -> Fault:
    """Every byte comes, in its time."""

    def done(exchange: Exchange) -> None:
        exchange.send(exchange.forward(), bytes_per_second=bytes_per_second)

    return done


def slow_to_take(bytes_per_second: float) -> Fault:
    """What is sent to the server goes out slowly."""

    def done(exchange: Exchange) -> None:
        exchange.take(bytes_per_second)
        well(exchange)

    return done


def altered(exchange: Exchange) -> None:
    """One byte of the body is another."""
    answer = exchange.forward()
    middle = len(answer.body) // 2
    body = answer.body[:middle] + bytes([answer.body[middle] ^ 1]) + answer.body[middle + 1 :] if answer.body else b""
    exchange.send(answer._replace(body=body))


def says(status: int, code: str, more: str = "") -> Fault:
    """The server's own word, as S3 writes it; a HEAD request gets none."""

    def done(exchange: Exchange) -> None:
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>.</Message>{more}</Error>'.encode()
        head = exchange.request.method == "HEAD"
        exchange.send(Answer(status, [("Content-Type", "application/xml")], b"" if head else body))

    return done


def _without_length(answer: Answer) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
