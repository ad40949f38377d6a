"""How settings and the environment become the options of a store; asked of the real server where that can be asked."""

from pathlib import Path

import pytest

from tests.s3 import SECRET_KEY, Bucket
from trainer.config import StoreConfig
from trainer.data.store.opening import open_store
from trainer.data.store.options import s3_options
from trainer.data.store.place import Place
from trainer.data.store.profiles import profile
from trainer.errors import UsageError

KEY = "data.training"
pytestmark = pytest.mark.usefixtures("bare")

PLACE = Place("s3", "films", "")


def test_settings_come_before_the_environment_and_that_before_the_profile(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-south-1\n")
    environment = {"HOME": str(tmp_path)}
    assert s3_options(PLACE, StoreConfig(), environment)["region"] == "eu-south-1"
    environment |= {"AWS_DEFAULT_REGION": "eu-west-3", "AWS_ENDPOINT_URL": "http://a:1"}
    assert s3_options(PLACE, StoreConfig(), environment)["region"] == "eu-west-3"
    environment |= {"AWS_REGION": "eu-west-2", "AWS_ENDPOINT_URL_S3": "http://b:1"}
    found = s3_options(PLACE, StoreConfig(), environment)
    assert (found["region"], found["aws_endpoint_url_s3"]) == ("eu-west-2", "http://b:1")
    found = s3_options(PLACE, StoreConfig(region="eu-west-1", endpoint="https://c"), environment)
    assert (found["region"], found["aws_endpoint_url_s3"]) == ("eu-west-1", "https://c")
    assert s3_options(PLACE, StoreConfig(), {})["region"] == "us-east-1"


def test_the_bucket_stands_in_the_path_or_in_the_host_name() -> None:
    for path_style, endpoint in ((True, "https://s3.ward:9000"), (False, "https://films.s3.ward:9000")):
        found = s3_options(PLACE, StoreConfig(endpoint="https://s3.ward:9000/", path_style=path_style), {})
        assert (found["aws_endpoint_url_s3"], found["virtual_hosted_style_request"]) == (endpoint, not path_style)


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("127.0.0.1:7070", "is not the URL of a server; write http"),
        ("s3.example.org", "is not the URL of a server"),
        ("ftp://s3.example.org", "is not the URL of a server"),
        ("https://", "is not the URL of a server"),
        ("https://s3.example.org?x=1", "is not the URL of a server"),
        ("https://s3.example.org/films", "names the bucket 'films', too; leave it out"),
        ("https://[", "is not the URL of a server"),
        ("https://s3.example.org:port", "is not the URL of a server"),
        ("https://s3.example.org:0", "is not the URL of a server"),
        ("https://key:secret@s3.example.org", "has credentials in it"),
        ("https://key:of/secret@s3.example.org", "has credentials in it"),
    ],
)
def test_a_wrong_endpoint_is_refused_by_the_name_it_was_given(endpoint: str, words: str) -> None:
    for config, environment, key in (
        (StoreConfig(endpoint=endpoint), {}, "store.endpoint"),
        (StoreConfig(), {"AWS_ENDPOINT_URL": endpoint}, "AWS_ENDPOINT_URL"),
    ):
        with pytest.raises(UsageError, match=f"^{key}: .*{words}") as raised:
            s3_options(PLACE, config, environment)
        assert "secret" not in str(raised.value)


def test_dots_in_a_bucket_match_no_certificate() -> None:
    place = Place("s3", "films.of.ward", "")
    with pytest.raises(UsageError, match=r"store\.path_style: False .*; set it to true"):
        s3_options(place, StoreConfig(path_style=False), {})
    assert s3_options(place, StoreConfig(path_style=False, endpoint="http://s3.ward"), {})


def test_a_profile_is_read_from_the_files_of_awss_tools(tmp_path: Path) -> None:
    credentials, config = tmp_path / "keys", tmp_path / "settings"
    credentials.write_text(
        "[default]\naws_access_key_id = A\n[ward]\naws_access_key_id=B\naws_secret_access_key = s%c/+=\n"
    )
    config.write_text("[profile ward]\nregion = eu-central-1\naws_session_token=t\n")
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "AWS_CONFIG_FILE": str(config)}
    assert profile(environment) == {"access_key_id": "A"}
    found = profile(environment | {"AWS_PROFILE": "ward"})
    assert found == {
        "access_key_id": "B",
        "secret_access_key": "s%c/+=",
        "session_token": "t",
        "region": "eu-central-1",
    }
    assert profile(environment | {"AWS_PROFILE": "other"}) == {}
    assert profile(environment | {"AWS_ACCESS_KEY_ID": "C"}) == {}
    assert profile(environment | {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}) == {}
    credentials.write_bytes(b"\xff\xfe not a file of profiles")
    assert profile(environment) == {}


def test_an_authority_that_is_no_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"AWS_CA_BUNDLE: .*cannot be read"):
        open_store("s3://films", StoreConfig(), KEY)
    (tmp_path / "none").write_text("rubbish")
    with pytest.raises(UsageError, match=r"data\.training: 's3://films' cannot be reached so \(No certificates found"):
        open_store("s3://films", StoreConfig(), KEY)


@pytest.mark.parametrize(
    ("url", "environment", "words"),
    [
        ("az://films", {}, "Account must be specified"),
        (
            "az://films",
            {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "not base64"},
            "Invalid Access Key",
        ),
        ("gs://films", {"GOOGLE_APPLICATION_CREDENTIALS": "/none"}, "Unable to open service account file"),
        ("gs://films", {"GOOGLE_SERVICE_ACCOUNT_KEY": "{secret"}, "Unable to decode service account"),
    ],
)
def test_what_the_other_clouds_lack_is_said_when_they_are_opened(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], words: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=words) as raised:
        open_store(url, StoreConfig(), KEY)
    assert "secret" not in str(raised.value)
    assert "not base64" not in str(raised.value)


def test_no_secret_is_in_what_a_store_says_of_itself(s3: Bucket) -> None:
    store = open_store(s3.url, s3.config, KEY)
    assert SECRET_KEY not in repr(vars(store)) + repr(s3.config)
