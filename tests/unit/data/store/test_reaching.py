"""How the real server is reached, or what is said where it is not: keys, regions, names of hosts, certificates."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import injected
from tests.faults.proxy import Proxy
from tests.s3 import ACCESS_KEY, SECRET_KEY, S3Server, new_server
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import CxrError, DataError

KEY = "data.training"

pytestmark = pytest.mark.usefixtures("bare")


def test_keys_in_a_profile_open_the_store(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = s3_server.bucket()
    keys = f"[ward]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    (tmp_path / "keys").write_text(keys)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_PROFILE", "ward")
    open_store(bucket.url, bucket.config, KEY).write("a", b"x")


def test_keys_that_a_file_gets_later_are_read_when_the_old_ones_have_expired(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3_server.bucket()
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    (tmp_path / "keys").write_text("[default]\naws_access_key_id = old\naws_secret_access_key = old\n")
    with Proxy(s3_server.port) as proxy:
        proxy.fault = injected.first(1, injected.says(400, "ExpiredToken"))
        store = open_store(bucket.url, bucket.config.model_copy(update={"endpoint": proxy.endpoint}), KEY)
        (tmp_path / "keys").write_text(
            f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        )
        store.write("a", b"x")
        assert store.read("a") == b"x"


USES: dict[str, Callable[[Store], object]] = {
    "read": lambda store: store.read("a"),
    "size": lambda store: store.size("a"),
    "entries": lambda store: list(store.entries()),
    "write": lambda store: store.write("a", b""),
    "create": lambda store: store.create("a", b""),
    "delete": lambda store: store.delete(["a"]),
}

WRONG: dict[str, tuple[dict[str, str], dict[str, object], str]] = {
    "key": ({"AWS_ACCESS_KEY_ID": "nobody"}, {}, "knows no such access key"),
    "secret": ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, {}, "secret key does not belong to the access key"),
    "no keys": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        {},
        "has no credentials in the environment",
    ),
    "region": ({}, {"region": "eu-west-1"}, r"set store.region \(AWS_REGION\) to us-east-1"),
    "https": (
        {},
        {"endpoint": "https"},
        r"no https that can be trusted \(InvalidContentType\)",
    ),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize("wrong", [*WRONG, "bucket"])
def test_the_real_servers_refusals_are_one_line_with_a_cure(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, wrong: str, use: Callable[[Store], object]
) -> None:
    bucket = s3_server.bucket()
    environment, settings, words = WRONG.get(wrong, ({}, {}, "has a bucket that does not exist; create it"))
    if settings.get("endpoint") == "https":
        settings = {"endpoint": s3_server.endpoint.replace("http", "https")}
    for name, value in (bucket.environment | environment).items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
    url = "s3://nothing-here/a" if wrong == "bucket" else bucket.url
    store = open_store(url, bucket.config.model_copy(update=settings), KEY)
    with pytest.raises(DataError, match=words) as raised:
        use(store)
    assert says_no_secret(raised.value)


def test_a_bucket_in_the_host_name_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = new_server(tmp_path, "--virtual-domain", "s3.test")
    bucket = server.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    # No resolver knows the name: an HTTP proxy does.
    with Proxy(server.port) as proxy:
        monkeypatch.setenv("http_proxy", proxy.endpoint)
        settings = {"endpoint": "http://s3.test", "path_style": False}
        store = open_store(bucket.url, bucket.config.model_copy(update=settings), KEY)
        store.write("a b", b"x")
        assert store.read("a b") == b"x"
        assert [each.name for each in store.entries()] == ["a b"]
    server.stop()
    assert {request.path.split("/")[2] for request in proxy.requests} == {f"{bucket.name}.s3.test"}


def test_a_private_authority_is_trusted_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_certificates(tmp_path)
    server = new_server(tmp_path, "--cert", f"{tmp_path}/leaf.pem", "--key", f"{tmp_path}/leaf.key", scheme="https")
    bucket = server.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=r"can be trusted \(UnknownIssuer\).* AWS_CA_BUNDLE names a private authority"):
        open_store(bucket.url, bucket.config, KEY).read("a")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    store = open_store(bucket.url, bucket.config, KEY)
    store.write("a", b"x")
    assert store.read("a") == b"x"
    server.stop()


def make_certificates(folder: Path) -> None:
    """An authority, and a server's certificate by it."""
    authority = ["-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ward"]
    leaf = ["-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost"]
    for options in (authority, leaf):
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-days", "2", *options)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
    openssl(folder, "x509", "-req", "-in", "leaf.csr", "-out", "leaf.pem", "-days", "2", *signed)


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def says_no_secret(error: CxrError) -> bool:
    return (
        not any(secret in str(error) for secret in (SECRET_KEY, "wrong-secret", ACCESS_KEY, "<"))
        and not error.__cause__
    )
