"""devreg as a user runs it: a real process, in a home, a Docker configuration and an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.live.lab.engine import Engine
from tests.live.lab.run import need, run

STATE = Path("/var/lib/devreg")


@dataclass(frozen=True)
class Done:
    """What a call of devreg ended with."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The JSON document on stdout, which must be all that is there."""
        return json.loads(self.stdout)

    @property
    def data(self) -> Any:
        """The result in the JSON document."""
        return self.document["data"]

    @property
    def said(self) -> str:
        """Both streams, for what may stand on neither."""
        return self.stdout + self.stderr


@dataclass(frozen=True)
class Devreg:
    """Calls devreg for the engine at `host`, with everything it keeps for its user below `folder`.

    `state` replaces /var/lib/devreg, which this machine's own devreg may use, in a mount namespace of the call's own;
    `path` replaces PATH; `registry` is the default registry.
    """

    folder: Path
    host: str
    state: Path | None = None
    path: str | None = None
    registry: str | None = None

    @property
    def env(self) -> dict[str, str]:
        """What a client has to be told to be this user: devreg, docker, skopeo and podman read it."""
        return {
            "HOME": str(self.folder),
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_CONFIG_DIRS": str(self.folder / "site"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            **({"PATH": self.path} if self.path else {}),
            **({"DEVREG_REGISTRY": self.registry} if self.registry else {}),
        }

    @property
    def config_file(self) -> Path:
        """Where this user's logins are."""
        return self.folder / "docker" / "config.json"

    def __call__(
        self, *words: str, input: str | None = None, env: Mapping[str, str] | None = None, timeout: float = 300
    ) -> Done:
        """Run devreg to its end, whatever its code."""
        done = run(*self.command(*words, env=env), input=input, check=False, timeout=timeout)
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, input: str | None = None, env: Mapping[str, str] | None = None) -> Done:
        """Run devreg, which has to end well."""
        done = self(*words, input=input, env=env)
        assert done.code == 0, f"devreg {' '.join(words)} -> {done.code}\n{done.stdout}\n{done.stderr}"
        return done

    def fails(self, code: int, *words: str, input: str | None = None, env: Mapping[str, str] | None = None) -> Done:
        """Run devreg, which has to end with `code`, say why in one line and what to do next in another."""
        done = self(*words, input=input, env=env)
        assert done.code == code, f"devreg {' '.join(words)} -> {done.code}\n{done.stdout}\n{done.stderr}"
        if "--json" not in words:
            assert done.stdout == "" or code == 1, f"a failure belongs on stderr: {done.stdout}"
            assert len(done.stderr.strip().splitlines()) >= 2, f"no next step: {done.stderr}"
        return done

    def shell(self, script: str, *, env: Mapping[str, str]) -> Done:
        """Run a shell script as this user; a command in it that fails ends it."""
        done = run(*self._as_user(["bash", "-euo", "pipefail", "-c", script], env), check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def command(self, *words: str, env: Mapping[str, str] | None = None, under: Sequence[str] = ()) -> list[str]:
        """The command line of a call. `under`: a program that is to run devreg, with its options."""
        return self._as_user([*under, sys.executable, "-m", "devreg", *words], env or {})

    def _as_user(self, program: list[str], env: Mapping[str, str]) -> list[str]:
        # Compiled modules are kept: the tests call devreg hundreds of times.
        unwanted = ("DEVREG_", "DOCKER_", "PYTHONDONTWRITEBYTECODE")
        unset = [f"--unset={name}" for name in os.environ if name.startswith(unwanted)]
        given = [f"{name}={value}" for name, value in {**self.env, **env}.items()]
        argv = ["env", *unset, *given, *program]
        if self.state is None:
            return argv
        STATE.mkdir(parents=True, exist_ok=True)
        script = 'mount --bind "$0" "$1" && shift && exec "$@"'
        return [need("unshare", "util-linux"), "--mount", "sh", "-c", script, str(self.state), str(STATE), *argv]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start devreg and return at once; the caller waits for it."""
        return subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def config(self) -> Any:
        """This user's Docker configuration, {} when there is none."""
        return json.loads(self.config_file.read_text()) if self.config_file.exists() else {}

    def forget_logins(self) -> None:
        """Be a user who has never logged in anywhere."""
        shutil.rmtree(self.config_file.parent, ignore_errors=True)


def user_of(engine: Engine, folder: Path) -> Devreg:
    """A new user of the engine, with a home in `folder`."""
    folder.mkdir(parents=True)
    return Devreg(folder, engine.host)


def with_own_state(devreg: Devreg) -> Devreg:
    """The same user, whose devreg keeps the machine's records in a folder of its own."""
    state = devreg.folder / "var-lib-devreg"
    state.mkdir(exist_ok=True)
    return replace(devreg, state=state)


def unprivileged(command: list[str], gid: int = 65534) -> list[str]:
    """The command run by `nobody` with the group `gid`: who may read everything (python may lie in root's home) and
    write nothing, also not to sockets."""
    rights = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return [need("setpriv", "util-linux"), "--reuid=65534", f"--regid={gid}", "--clear-groups", *rights, "--", *command]


@dataclass(frozen=True)
class Nobody(Devreg):
    """The same for `nobody`: everything below `folder` has to be that user's."""

    def _as_user(self, program: list[str], env: Mapping[str, str]) -> list[str]:
        return unprivileged(super()._as_user(program, env))
