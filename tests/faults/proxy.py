"""A proxy of the tests' own in front of the S3 server, that does to an exchange what networks and servers do to it."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, cast

PIECE_BYTES = 2**16


class Request(NamedTuple):
    """What a client asked: ``range`` is its header, or empty."""

    method: str
    path: str
    range: str


class Answer(NamedTuple):
    """What the server said."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Exchange:
    """One request on its way: a fault decides what becomes of it and of its answer."""

    def __init__(self, handler: "_Handler", request: Request) -> None:
        self.request, self._handler = request, handler

    def forward(self) -> Answer:
        """Sends the request on; the server's answer."""
        return self._handler.forwarded()

    def take(self, bytes_per_second: float) -> None:
        """Takes the request's body at that pace."""
        self._handler.take(bytes_per_second)

    def send(self, answer: Answer, *, upto: int | None = None, bytes_per_second: float = 0.0) -> None:
        """Sends the answer's head, and its body up to a byte."""
        self._handler.send(answer, answer.body if upto is None else answer.body[:upto], bytes_per_second)

    def reset(self) -> None:
        """Ends the connection with RST, in whatever it is doing."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Ends the connection with FIN."""
        self._handler.close_connection = True
        self._handler.wfile.flush()
        # The handler's own files hold the socket open until its end, which comes at once.
        self._handler.connection.close()

    def stall(self) -> None:
        """Says nothing more until the proxy ends."""
        self._handler.proxy.ended.wait()
        self._handler.close_connection = True


Fault = Callable[[Exchange], None]


def well(exchange: Exchange) -> None:
    """No fault."""
    exchange.send(exchange.forward())


@dataclass
class Proxy:
    """Listens on a port of its own while it is entered; ``shut`` and ``listen`` refuse and take connections."""

    upstream: int
    fault: Fault = well
    requests: list[Request] = field(default_factory=list)
    """All that came."""
    answered_bytes: int = 0
    """Of bodies, sent to clients."""

    def __post_init__(self) -> None:
        self.ended = threading.Event()
        self._counting = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    def __enter__(self) -> "Proxy":
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.shut()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        """Takes connections, on the same port as before."""
        handler = cast("type[BaseHTTPRequestHandler]", type("Handler", (_Handler,), {"proxy": self}))
        self._server = _Server(("127.0.0.1", self.port), handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def shut(self) -> None:
        """Refuses connections; those that are open end with their exchange."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def heard(self, request: Request) -> None:
        with self._counting:
            self.requests.append(request)

    def answered(self, count: int) -> None:
        with self._counting:
            self.answered_bytes += count


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        request = Request(self.command, self.path, self.headers.get("Range", ""))
        self._body: bytes | None = None
        self.proxy.heard(request)
        if self.proxy._server is None:
            return Exchange(self, request).reset()
        return self.proxy.fault(Exchange(self, request))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def forwarded(self) -> Answer:
        self._drain()
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=60)
        try:
            # A client that takes this for its HTTP proxy names the whole URL.
            path = self.path if self.path.startswith("/") else "/" + self.path.split("/", 3)[3]
            connection.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(self._body)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def send(self, answer: Answer, body: bytes, bytes_per_second: float) -> None:
        self._drain()
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = {name.lower(): value for name, value in answer.headers}.get("content-length", len(answer.body))
        self.send_header("Content-Length", str(length if self.command == "HEAD" else len(answer.body)))
        self.end_headers()
        piece_bytes = max(1, int(bytes_per_second / 50)) if bytes_per_second else PIECE_BYTES
        for start in range(0, len(body), piece_bytes):
            piece = body[start : start + piece_bytes]
            self.wfile.write(piece)
            self.proxy.answered(len(piece))
            if bytes_per_second:
                time.sleep(len(piece) / bytes_per_second)

    def take(self, bytes_per_second: float) -> None:
        left = int(self.headers.get("Content-Length") or 0)
        body = bytearray()
        while left > len(body):
            body += self.rfile.read(min(PIECE_BYTES, left - len(body)))
            time.sleep(PIECE_BYTES / bytes_per_second)
        self._body = bytes(body)

    def _drain(self) -> None:
        if self._body is None:
            self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, *_: object) -> None:
        """Nothing to say."""
