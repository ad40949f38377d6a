"""Credentials in a profile of AWS's files, which the library that reaches buckets does not read itself."""

import configparser
from collections.abc import Mapping
from pathlib import Path

_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
}

_FIRST = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE")
"""Names in the environment that come before a profile, as for AWS's own tools."""


def profile(environment: Mapping[str, str]) -> dict[str, str]:
    """The keys and region of ``AWS_PROFILE`` (else ``default``), as options of an S3 store; none where it has none.

    Files: ``AWS_SHARED_CREDENTIALS_FILE``, else ``~/.aws/credentials``; ``AWS_CONFIG_FILE``, else ``~/.aws/config``.
    """
    if any(environment.get(name) for name in _FIRST):
        return {}
    name = environment.get("AWS_PROFILE", "default")
    home = Path(environment.get("HOME", "~")).expanduser() / ".aws"
    settings = Path(environment.get("AWS_CONFIG_FILE", home / "config"))
    credentials = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE", home / "credentials"))
    found = _read(settings, name if name == "default" else f"profile {name}") | _read(credentials, name)
    return {option: found[key] for key, option in _KEYS.items() if key in found}


def _read(file: Path, section: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(file)
        return dict(parser[section]) if section in parser else {}
    except (OSError, UnicodeDecodeError, configparser.Error):
        # Not a file of profiles: other sources of credentials are asked, and their error is the one to read.
        return {}
