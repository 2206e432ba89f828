"""Other people's registry clients, each as a user with a folder of his own; True is what they call success."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import docker

from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import need, run
from tests.live.lab.wire import MANIFEST


class Client(Protocol):
    """What a client can do at the registry `address`; a name there is `repository:tag`."""

    def login(self, user: str, password: str) -> bool:
        """Log in; a later push then uses the password."""

    def push(self, name: str) -> bool:
        """Push an image."""

    def pull(self, name: str) -> bool:
        """Pull an image that was not here before."""


@dataclass(frozen=True)
class DockerCli:
    """The docker command with an engine."""

    engine: Engine
    address: str
    folder: Path

    def login(self, user: str, password: str) -> bool:
        return self._docker("login", "-u", user, "--password-stdin", self.address, input=password)

    def push(self, name: str) -> bool:
        with closing(self.engine.client()) as sdk:
            multi_layer_image(sdk, f"{self.address}/{name}", 2, 0.1)
        return self._docker("push", f"{self.address}/{name}")

    def pull(self, name: str) -> bool:
        self._docker("rmi", f"{self.address}/{name}")
        return self._docker("pull", f"{self.address}/{name}")

    def _docker(self, *words: str, input: str | None = None) -> bool:
        first = self.engine.binaries or Path("/usr/bin")  # the distribution's, not another that comes before it
        env = {"DOCKER_HOST": self.engine.host, "DOCKER_CONFIG": str(self.folder)}
        return run(need("docker", "docker.io", first), *words, input=input, env=env, check=False).returncode == 0


@dataclass
class DockerSdk:
    """The docker SDK for Python with an engine."""

    engine: Engine
    address: str
    auth: dict[str, str] | None = None

    def login(self, user: str, password: str) -> bool:
        self.auth = {"username": user, "password": password}
        try:
            with closing(self.engine.client()) as sdk:
                sdk.login(user, password, registry=self.address, reauth=True)
        except docker.errors.APIError:
            return False
        return True

    def push(self, name: str) -> bool:
        with closing(self.engine.client()) as sdk:
            multi_layer_image(sdk, f"{self.address}/{name}", 2, 0.1)
            lines: Iterable[dict[str, object]] = sdk.api.push(
                f"{self.address}/{name}", stream=True, decode=True, auth_config=self.auth or {}
            )
            return not any("error" in line for line in lines)

    def pull(self, name: str) -> bool:
        with closing(self.engine.client()) as sdk:
            sdk.images.remove(f"{self.address}/{name}", force=True)
            sdk.api.pull(f"{self.address}/{name}", auth_config={})
            return bool(sdk.images.get(f"{self.address}/{name}"))


@dataclass(frozen=True)
class Skopeo:
    """skopeo, which needs no engine; `archive` is a `docker save` of what it pushes."""

    archive: Path
    address: str
    folder: Path

    def login(self, user: str, password: str) -> bool:
        words = ("login", "--tls-verify=false", "-u", user, "--password-stdin", self.address)
        return self._skopeo(*words, input=password)

    def push(self, name: str) -> bool:
        target = f"docker://{self.address}/{name}"
        return self._skopeo("copy", "--dest-tls-verify=false", f"docker-archive:{self.archive}", target)

    def pull(self, name: str) -> bool:
        source = f"docker://{self.address}/{name}"
        return self._skopeo("copy", "--src-tls-verify=false", source, f"dir:{self.folder / 'pulled'}")

    def _skopeo(self, *words: str, input: str | None = None) -> bool:
        env = {"REGISTRY_AUTH_FILE": _auth_file(self.folder), "HOME": str(self.folder)}
        return run(need("skopeo", "skopeo"), *words, input=input, env=env, check=False).returncode == 0


@dataclass(frozen=True)
class Podman:
    """podman with a store of its own in `folder`."""

    archive: Path
    address: str
    folder: Path

    def login(self, user: str, password: str) -> bool:
        words = ("login", "--tls-verify=false", "-u", user, "--password-stdin", self.address)
        return self._podman(*words, input=password)

    def push(self, name: str) -> bool:
        loaded = self._said("load", "--quiet", "--input", str(self.archive))
        image = loaded.strip().rpartition(" ")[2]
        return self._podman("push", "--tls-verify=false", image, f"{self.address}/{name}")

    def pull(self, name: str) -> bool:
        self._podman("rmi", "--all", "--force")
        return self._podman("pull", "--tls-verify=false", f"{self.address}/{name}")

    def _podman(self, *words: str, input: str | None = None) -> bool:
        return run(*self._command, *words, input=input, env=self._env, check=False).returncode == 0

    def _said(self, *words: str) -> str:
        return run(*self._command, *words, env=self._env).stdout

    @property
    def _command(self) -> tuple[str, ...]:
        store = ("--root", str(self.folder / "root"), "--runroot", str(self.folder / "run"))
        return (need("podman", "podman"), *store, "--storage-driver=vfs", "--cgroup-manager=cgroupfs")

    @property
    def _env(self) -> dict[str, str]:
        return {"REGISTRY_AUTH_FILE": _auth_file(self.folder), "HOME": str(self.folder)}


@dataclass
class Curl:
    """curl, as a script would use it; `push` begins an upload."""

    address: str
    auth: tuple[str, ...] = ()

    def login(self, user: str, password: str) -> bool:
        self.auth = ("--user", f"{user}:{password}")
        return self._curl("/v2/")

    def push(self, name: str) -> bool:
        return self._curl(f"/v2/{name.partition(':')[0]}/blobs/uploads/", "--request", "POST")

    def pull(self, name: str) -> bool:
        repository, _, tag = name.partition(":")
        self.auth = ()
        return self._curl(f"/v2/{repository}/manifests/{tag}", "--header", f"Accept: {MANIFEST}")

    def _curl(self, path: str, *words: str) -> bool:
        command = (need("curl", "curl"), "--silent", "--fail", "--noproxy", "*", *self.auth, *words)
        return run(*command, f"http://{self.address}{path}", check=False).returncode == 0


def _auth_file(folder: Path) -> str:
    """Where a client of containers/image keeps logins. podman 4.3 wants to find a file there, be it empty."""
    file = folder / "auth.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    return str(file)
