"""`make image`: what it asks of the builder, and what it tells the person."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture
def machine(tmp_path: Path) -> "Machine":
    return Machine(tmp_path)


class Machine:
    """A machine without docker, podman or buildah, but with the few tools that docker/build itself uses."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "bin"
        self.calls = home / "calls"
        self.bin.mkdir()
        for tool in ("bash", "dirname", "git", "sed", "env"):
            path = shutil.which(tool)
            assert path is not None
            (self.bin / tool).symlink_to(path)

    def have(self, name: str, code: int = 0) -> None:
        """A program that writes down how it was called."""
        program = self.bin / name
        program.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> {self.calls}\nexit {code}\n')
        program.chmod(0o755)

    def make_image(self, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "HOME": str(self.home)} | variables
        return subprocess.run([ROOT / "docker/build"], env=environment, capture_output=True, text=True, check=False)

    def called(self, start: str) -> str:
        return next(line for line in self.calls.read_text().splitlines() if line.startswith(start))


def test_it_builds_the_cpu_target_under_the_charts_default_name(machine: Machine) -> None:
    machine.have("podman")
    done = machine.make_image()
    assert done.returncode == 0, done.stderr
    chart = yaml.safe_load((ROOT / "helm/Chart.yaml").read_text())
    values = yaml.safe_load((ROOT / "helm/values.yaml").read_text())
    call = machine.called("podman build")
    assert f"--tag={values['image']['repository']}:{chart['appVersion']} " in call
    assert "--target cpu " in call
    assert f"VERSION={VERSION} " in call


def test_a_push_goes_to_the_given_repository_and_tells_what_to_set(machine: Machine) -> None:
    machine.have("docker")
    done = machine.make_image(TARGET="gpu", PUSH="your.registry/cxr-train")
    assert done.returncode == 0, done.stderr
    assert "--target gpu " in machine.called("docker build")
    assert machine.called("docker push") == f"docker push your.registry/cxr-train:{VERSION}"
    assert f"--set image.repository=your.registry/cxr-train --set image.tag={VERSION}" in done.stdout


def test_a_docker_whose_engine_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.have("docker", code=1)
    machine.have("buildah")
    assert machine.make_image().returncode == 0
    assert machine.called("buildah").startswith("buildah build --layers ")


def test_without_a_builder_it_says_what_to_install(machine: Machine) -> None:
    done = machine.make_image()
    assert done.returncode == 1
    assert "apt-get install buildah" in done.stderr


def test_another_builder_can_be_named(machine: Machine) -> None:
    machine.have("mine")
    assert machine.make_image(IMAGE_BUILD="mine make it", TAG="ci").returncode == 0
    assert machine.called("mine").startswith("mine make it --file docker/Dockerfile ")
    assert "--tag=localhost/cxr-train:ci " in machine.called("mine")


def test_a_push_with_another_builder_needs_a_pusher_before_anything_is_built(machine: Machine) -> None:
    machine.have("mine")
    done = machine.make_image(IMAGE_BUILD="mine", PUSH="your.registry/cxr-train")
    assert done.returncode == 1
    assert "IMAGE_PUSH" in done.stderr
    assert not machine.calls.exists()


def test_an_unknown_target_is_refused(machine: Machine) -> None:
    machine.have("podman")
    done = machine.make_image(TARGET="tpu")
    assert done.returncode == 1
    assert "'tpu' is not a target; use cpu or gpu" in done.stderr


def test_the_machines_certificates_and_proxy_reach_the_build(machine: Machine, tmp_path: Path) -> None:
    machine.have("podman")
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    machine.make_image(SSL_CERT_FILE=str(bundle), https_proxy="http://proxy:3128")
    call = machine.called("podman build")
    assert f"--secret id=ca,src={bundle} " in call
    assert "--build-arg https_proxy=http://proxy:3128 " in call


@pytest.mark.skipif(shutil.which("sshd", path=os.defpath + ":/usr/sbin") is None, reason="openssh-server is not here")
def test_sshd_takes_its_configuration(tmp_path: Path) -> None:
    key = tmp_path / "ssh_host_ed25519_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    sshd = shutil.which("sshd", path="/usr/sbin:" + os.defpath)
    assert sshd is not None
    if os.getuid() == 0:
        # Started by root, as in the image it never is, sshd wants its own folder; packages leave it to the init system.
        Path("/run/sshd").mkdir(exist_ok=True)
    subprocess.run([sshd, "-t", "-f", ROOT / "docker/sshd_config", "-h", key], check=True)
