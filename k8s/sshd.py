"""The worker's sshd, without root: a host key of its own, and a name for a user id that has none."""

import os
import pwd
import subprocess
from pathlib import Path

from trainer.errors import ClusterError

CONFIG = Path("/etc/ssh/cxr-train-sshd_config")
PASSWD = Path("/var/lib/extrausers/passwd")
_FIRST_GROUP, _USERS = 500, 100
"""libnss-extrausers passes over entries of lower groups, root's among them, but for ``users``."""
HOST_KEY = "ssh_host_ed25519_key"


def name_this_user(passwd: Path = PASSWD) -> None:
    """A user id without a passwd entry is refused by ssh and sshd; it gets one through libnss-extrausers."""
    user = os.getuid()
    try:
        pwd.getpwuid(user)
        return
    except KeyError:
        pass
    entry = f"cxr-{user}:x:{user}:{_passwd_group(os.getgid())}:cxr-train:{os.environ.get('HOME', '/tmp')}:/bin/sh\n"  # noqa: S108
    try:
        passwd.write_text(entry, encoding="ascii")
    except OSError as error:
        raise ClusterError(
            str(passwd), error.strerror, f"hinders the passwd entry of user id {user}", "mount an emptyDir there"
        ) from error


def _passwd_group(group: int) -> int:
    return group if group >= _FIRST_GROUP else _USERS


def make_host_key(folder: Path) -> None:
    """A new one for each start of the pod: the clients, all of this job, do not keep it."""
    key = folder / HOST_KEY
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)


def start(config: Path = CONFIG) -> subprocess.Popen[bytes]:
    """Runs sshd in the foreground; its words, in its stderr, are for the pod's log, but for the noise."""
    if not config.exists():
        raise ClusterError(str(config), "", "is not there", "use an image made by 'make image'")
    command = ["/usr/sbin/sshd", "-D", "-e", "-o", "LogLevel=ERROR", "-f", str(config)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


def is_noise(line: str) -> bool:
    """What a probe leaves that connects and says nothing: the kubelet's, every few seconds, and the launcher's."""
    return line.startswith(("kex_exchange_identification:", "banner exchange:"))
