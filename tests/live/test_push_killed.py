"""A direct push that is killed, interrupted, or whose registry goes away in the middle: held at a byte by a Gate."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from tests.live.conftest import PASSWORD, USER, Server, client, free_port, start_server
from tests.live.lab.contents import contents
from tests.live.lab.devreg import Devreg, user_of
from tests.live.lab.engine import Engine
from tests.live.lab.gate import Gate
from tests.live.lab.images import multi_layer_image
from tests.live.lab.plain_registry import plain_registry, recipe
from tests.live.lab.wire import Wire

IMAGE = "killed/app:1"
LAYERS, MEGABYTES_EACH = 3, 20
KILLS = 5
SECONDS = 60  # after which something hangs

_numbers = count()


@dataclass(frozen=True)
class Line:
    """Pushes of IMAGE, each by a new user to a new repository, over a line that can be held. `id`: the image's;
    `wire`: the registry itself."""

    engine: Engine
    gate: Gate
    wire: Wire
    folder: Path
    id: str

    def somebody(self) -> "Push":
        """A new user, and his push."""
        number = next(_numbers)
        user = replace(user_of(self.engine, self.folder / f"user{number}"), registry=self.gate.address)
        Server(self.engine, self.gate.address).log_in(user)
        return Push(user, f"killed/r{number}", self)


@dataclass(frozen=True)
class Push:
    """One user's push to one repository."""

    user: Devreg
    repository: str
    line: Line

    @property
    def words(self) -> tuple[str, ...]:
        return ("push", IMAGE, "--as", f"{self.repository}:1", "--via", "direct")

    @contextmanager
    def held(self, amount: int) -> Iterator[subprocess.Popen[str]]:
        """The push, held after so many bytes, and let go afterwards."""
        self.line.gate.hold_after(amount)
        with self.user.start(*self.words) as process:
            try:
                self.line.gate.wait()
                yield process
            finally:
                self.line.gate.open()
                process.kill()

    def tags(self) -> dict[str, str]:
        """What a look at the registry finds: each tag complete. Registry 2.8 lists a tag a moment before it has it."""
        deadline = time.monotonic() + 5
        while True:
            try:
                return contents(self.line.wire, self.repository).tags
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def finish(self) -> dict[str, object]:
        """Push, and return what is told."""
        (pushed,) = self.user.ok(*self.words, "--json").data["pushed"]
        return dict(pushed)


@pytest.fixture(scope="module")
def image(engine: Engine) -> Iterator[str]:
    """The id of IMAGE, of 60 MB."""
    with client(engine) as sdk:
        yield str(sdk.images.get(multi_layer_image(sdk, IMAGE, LAYERS, MEGABYTES_EACH)).id)
        for name in sdk.images.get(IMAGE).tags:
            sdk.images.remove(name, force=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def line(engine: Engine, image: str, folder: Path, cache: Path) -> Iterator[Line]:
    """To a registry without passwords."""
    with plain_registry(folder, cache) as registry, Gate(registry.port) as gate:
        yield Line(engine, gate, Wire(registry.address), folder, image)


@pytest.fixture(scope="module")
def whole(line: Line) -> tuple[int, str]:
    """Of a push that nothing happens to: the bytes that go up, and the digest."""
    before = line.gate.passed
    pushed = line.somebody().finish()
    return line.gate.passed - before, str(pushed["digest"])


@pytest.fixture(scope="module")
def others(spare_engine: Engine, folder: Path) -> Server:
    """What `devreg registry up` runs, on an engine of its own."""
    address = f"127.0.0.1:{free_port()}"
    start_server(user_of(spare_engine, folder / "admin"), address)
    return Server(spare_engine, address)


def test_killed_at_any_moment(line: Line, whole: tuple[int, str]) -> None:
    """The first at random ones, the last while the manifest goes up."""
    total, digest = whole
    moments = [*random.Random(4).sample(range(total), KILLS), total - 200]  # noqa: S311  # no secret
    for moment in moments:
        push = line.somebody()
        with push.held(moment) as process:
            process.send_signal(signal.SIGKILL)
            process.wait(SECONDS)
            assert push.tags() == {}
        assert set(push.tags().values()) <= {digest}
        done = push.finish()
        assert push.tags() == {"1": done["digest"]} == {"1": digest}, f"killed after {moment} bytes"


def test_interrupted(line: Line, whole: tuple[int, str]) -> None:
    """The line still hangs: it is not waited for."""
    total, digest = whole
    push = line.somebody()
    with push.held(total // 2) as process:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stdout) == (130, "")
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert push.tags() == {}
    assert push.finish()["digest"] == digest


def test_the_next_push_goes_on_where_a_killed_one_was(
    engine: Engine, image: str, cache: Path, tmp_path: Path, whole: tuple[int, str]
) -> None:
    """Where requests are small: this registry keeps nothing of one that breaks off.

    To find out that they have to be, nearly all is sent in vain.
    """
    total, digest = whole
    folders = [tmp_path / each for each in ("registry", "nginx")]
    for each in folders:
        each.mkdir()
    with (
        plain_registry(folders[0], cache) as registry,
        recipe(registry, folders[1], (USER, PASSWORD), limit="") as nginx,
        Gate(nginx.port) as gate,
    ):
        push = Line(engine, gate, Wire(registry.address), tmp_path, image).somebody()
        with push.held(total * 3 // 2) as process:
            process.send_signal(signal.SIGKILL)
            process.wait(SECONDS)
            gate.break_off()
        assert push.tags() == {}
        assert "resumed at" in push.user.ok(*push.words).stderr
        assert push.tags() == {"1": digest}


@pytest.mark.parametrize("role", ["registry", "nginx"])
def test_a_container_of_the_server_is_restarted(
    role: str, engine: Engine, image: str, others: Server, whole: tuple[int, str], tmp_path: Path
) -> None:
    total, digest = whole
    with client(others.engine) as sdk, Gate(int(others.address.rpartition(":")[2])) as gate:
        push = Line(engine, gate, others.anybody, tmp_path, image).somebody()
        with push.held(total // 2) as process:
            (container,) = sdk.containers.list(filters={"label": f"io.devreg.role={role}"})
            container.restart(timeout=0)
            gate.open()
            stdout, stderr = process.communicate(timeout=5 * SECONDS)
        assert process.returncode == 0, stderr
        assert stdout.endswith(f"{push.repository}@{digest}\n")
        assert push.tags() == {"1": digest}
