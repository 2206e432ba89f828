"""Clients that get through to a registry with containerd's code: ctr, and BuildKit as buildx drives it."""

from dataclasses import dataclass
from pathlib import Path

from tests.live.lab.clients import DockerCli
from tests.live.lab.engine import Engine
from tests.live.lab.run import need, run


@dataclass
class Ctr:
    """ctr with the containerd of an engine, in a namespace of its own. It has no login: the password goes with a push.

    `archive` is a `docker save` of what it pushes.
    """

    engine: Engine
    archive: Path
    address: str
    auth: tuple[str, ...] = ()

    def login(self, user: str, password: str) -> bool:
        """Take the password, if a push with it gets through."""
        self.auth = ("--user", f"{user}:{password}")
        return self.push("by-ctr:1")

    def push(self, name: str) -> bool:
        imported = self._said("images", "import", "--all-platforms", str(self.archive)).split()
        image = next(word for word in imported if ":" in word and "/" in word)
        self._ctr("images", "rm", f"{self.address}/{name}")
        assert self._ctr("images", "tag", image, f"{self.address}/{name}")
        return self._ctr("images", "push", "--plain-http", *self.auth, f"{self.address}/{name}")

    def pull(self, name: str) -> bool:
        self._ctr("images", "rm", "--sync", f"{self.address}/{name}")
        return self._ctr("images", "pull", "--plain-http", f"{self.address}/{name}")

    def _ctr(self, *words: str) -> bool:
        return run(*self._command, *words, check=False).returncode == 0

    def _said(self, *words: str) -> str:
        return run(*self._command, *words).stdout

    @property
    def _command(self) -> tuple[str, ...]:
        program = need("ctr", "containerd", self.engine.binaries)
        return (program, "--address", str(self.engine.containerd_socket), "--namespace", "lab-ctr")


@dataclass(frozen=True)
class Buildx:
    """buildx with the BuildKit in an engine with the containerd store, which pushes and pulls by itself.

    `program` is the plugin; its logins are those of `docker login` in `folder`.
    """

    engine: Engine
    program: Path
    address: str
    folder: Path

    def login(self, user: str, password: str) -> bool:
        return DockerCli(self.engine, self.address, self.folder).login(user, password)

    def push(self, name: str) -> bool:
        return self._build("FROM scratch\nCOPY file /\n", "--push", "--tag", f"{self.address}/{name}")

    def pull(self, name: str) -> bool:
        """Build on the image; its files come out in a folder, so that all of it has to be fetched."""
        output = f"type=local,dest={self.folder / 'pulled'}"
        return self._build(f"FROM {self.address}/{name}\nCOPY file /\n", "--pull", "--output", output)

    def _build(self, dockerfile: str, *words: str) -> bool:
        context = self.folder / "context"
        context.mkdir(parents=True, exist_ok=True)
        (context / "Dockerfile").write_text(dockerfile)
        (context / "file").write_text("content")
        env = {"DOCKER_HOST": self.engine.host, "DOCKER_CONFIG": str(self.folder), "HOME": str(self.folder)}
        options = ("--provenance=false", "--no-cache", "--progress=plain")
        return run(self.program, "build", *options, *words, context, env=env, check=False).returncode == 0
