"""An S3 server of the test session's own (versitygw over a folder), on a free port; without one, tests skip."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from trainer.config import StoreConfig

ACCESS_KEY, SECRET_KEY, REGION = "cxr-test", "cxr-test-secret", "us-east-1"
CLUSTER = Path(os.environ.get("CLUSTER", Path(__file__).parents[2] / "shared" / "cluster"))
START_SECONDS = 20.0


@dataclass(frozen=True)
class Bucket:
    """A fresh, empty bucket.

    ``config`` and ``environment`` reach it; the fixture ``s3`` has the environment set while the test runs.
    """

    name: str
    config: StoreConfig
    environment: dict[str, str]
    folder: Path
    """The server's own files: an object is a file of its name."""

    @property
    def url(self) -> str:
        return f"s3://{self.name}"


class S3Server:
    """A server over ``folder``; ``stop`` and ``start`` keep its port and its objects."""

    def __init__(self, binary: str, folder: Path, options: Sequence[str], scheme: str) -> None:
        self.folder, self._binary, self._options, self._scheme = folder, binary, options, scheme
        self.port = _free_port()
        self._buckets = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def config(self) -> StoreConfig:
        """Reaches the server, and gives up on it soon."""
        return StoreConfig(endpoint=self.endpoint, region=REGION, retry_seconds=5.0, timeout_seconds=20.0)

    @property
    def environment(self) -> dict[str, str]:
        """What a pod would get from its secret."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
        }

    def bucket(self) -> Bucket:
        """Makes a new bucket: for this server, a folder."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        (self.folder / name).mkdir()
        return Bucket(name, self.config, self.environment, self.folder / name)

    def start(self) -> None:
        """Returns once the server answers."""
        options = [
            *self._options,
            "--access",
            ACCESS_KEY,
            "--secret",
            SECRET_KEY,
            "--region",
            REGION,
            "--health",
            "/health",
            "--quiet",
        ]
        command = [self._binary, *options, "--port", f"127.0.0.1:{self.port}", "posix", str(self.folder)]
        with (self.folder.parent / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.folder.parent / "server.log").read_text()
            assert time.monotonic() < deadline, "the S3 server does not answer"
            # Only a socket that listens says that it listens.
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the server as a crash would, in whatever it is doing."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for the session; a test that stops it starts it again, or makes one of its own with ``new_server``."""
    with tempfile.TemporaryDirectory(prefix="cxr-s3-") as folder:
        server = new_server(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A fresh bucket; the environment that reaches it is set."""
    bucket = s3_server.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return bucket


def new_server(folder: Path, *options: str, scheme: str = "http") -> S3Server:
    """A started server with its files below ``folder``. Skips the test where there is none to start."""
    objects = folder / "objects"
    objects.mkdir()
    server = S3Server(_binary(), objects, options, scheme)
    server.start()
    return server


def _binary() -> str:
    if found := shutil.which("versitygw"):
        return found
    if not (CLUSTER / "build").exists():
        pytest.skip(f"no S3 server: no versitygw on the PATH, and nothing at CLUSTER={CLUSTER} to build it with")
    with Path(tempfile.gettempdir(), "cxr-train-versitygw.lock").open("w") as lock:
        # Workers of one session, and sessions side by side, build it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = subprocess.run([CLUSTER / "build", "versitygw"], capture_output=True, text=True, check=False)
    if built.returncode:
        pytest.skip(f"no S3 server: {built.stderr.strip().splitlines()[-1:]}")
    say = f"source {CLUSTER / 'lib.sh'}; echo $home"
    home = subprocess.run(["bash", "-c", say], capture_output=True, text=True, check=True).stdout.strip()
    return str(Path(home) / "bin" / "versitygw")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
