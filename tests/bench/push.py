"""Pushes of a large image of real files, side by side: each of a round finds a registry that has nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.bench.taking_turns import Side, figures, ratio, take_turns
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import need, run

LAYERS, BYTES_A_LAYER = 3, 253_000_000
SMALLEST = 8_000  # bytes of a file that is taken
FOLDERS = (Path("/usr/lib"), Path("/usr/bin"), Path("/usr/share"))
IMAGE = "bench/large:1"


class Scene:
    """An engine with the large image, its user, and where registries and archives go."""

    def __init__(self, engine: Engine, user: Devreg, folder: Path, cache: Path) -> None:
        self.engine = engine
        self.user = user
        self.folder = folder
        self.cache = cache
        self._registries = 0

    @contextmanager
    def registry(self) -> Iterator[Server]:
        """A registry that has nothing, at a port that nobody has heard of; its content is gone at the end."""
        self._registries += 1
        folder = self.folder / f"registry{self._registries}"
        folder.mkdir()
        with plain_registry(folder, self.cache) as server:
            yield server
        shutil.rmtree(folder)

    def to_nothing(self, push: Callable[[str], object]) -> Side:
        """A side that pushes to an empty registry, whose address `push` is given."""

        @contextmanager
        def prepared() -> Iterator[Callable[[], object]]:
            with self.registry() as server:
                yield lambda: push(server.address)

        return prepared

    def devreg(self, image: str, *options: str) -> Callable[[str], object]:
        """A push by devreg, which remembers nothing."""

        def push(address: str) -> object:
            shutil.rmtree(self.user.folder / "cache", ignore_errors=True)
            return self.user.ok("push", image, "--quiet", "--to", address, *options)

        return push

    def docker(self, address: str) -> object:
        """A push by docker. The name is removed again, so that the next round has the same image."""
        name = f"{address}/large:1"
        run("docker", "tag", IMAGE, name, env=self.user.env)
        done = run("docker", "push", name, env=self.user.env, timeout=600)
        run("docker", "rmi", name, env=self.user.env)
        return done

    def skopeo(self, source: str) -> Callable[[str], object]:
        """A copy by skopeo."""
        options = ("--quiet", "--dest-tls-verify=false")
        daemon = ("--src-daemon-host", self.engine.host) if source.startswith("docker-daemon:") else ()
        program = need("skopeo", "skopeo")
        return lambda address: run(
            program, "copy", *options, *daemon, source, f"docker://{address}/large:1", timeout=600
        )

    def export(self) -> object:
        """The engine's export, thrown away."""
        url = f"http://docker/images/{IMAGE}/get"
        return run("curl", "-sS", "--unix-socket", self.engine.socket, "-o", os.devnull, url, timeout=600)


def build(engine: Engine, folder: Path) -> None:
    """Make the image: each layer a tar of files of this machine, none of them in two."""
    folder.mkdir()
    files = (file for root in FOLDERS for file in sorted(root.rglob("*")) if _is_wanted(file))
    for number in range(LAYERS):
        size = 0
        with tarfile.open(folder / f"layer{number}.tar", "w") as tar:
            for file in files:
                tar.add(file, recursive=False)
                size += file.stat().st_size
                if size > BYTES_A_LAYER:
                    break
            else:
                raise AssertionError(f"this machine has too few files below {', '.join(map(str, FOLDERS))}")
    adds = [f"ADD layer{number}.tar /{number}/" for number in range(LAYERS)]
    (folder / "Dockerfile").write_text("\n".join(["FROM scratch", *adds, 'CMD ["/none"]']))
    with closing(engine.client()) as client:
        client.images.build(path=str(folder), tag=IMAGE, rm=True)


def _is_wanted(file: Path) -> bool:
    return file.is_file() and not file.is_symlink() and file.stat().st_size >= SMALLEST


def fresh(scene: Scene, rounds: int) -> None:
    """The image of the engine, none of which is up."""
    times = take_turns(
        {
            "devreg push --via direct": scene.to_nothing(scene.devreg(IMAGE, "--via", "direct")),
            "devreg push": scene.to_nothing(scene.devreg(IMAGE)),
            "docker push": scene.to_nothing(scene.docker),
            "skopeo copy docker-daemon:": scene.to_nothing(scene.skopeo(f"docker-daemon:{IMAGE}")),
            "the bare export": scene.to_nothing(lambda _: scene.export()),
        },
        rounds,
    )
    figures("a fresh image of 760 MB in three layers", times)
    ratio("docker push / devreg direct", times["docker push"], times["devreg push --via direct"])
    ratio("skopeo / devreg direct", times["skopeo copy docker-daemon:"], times["devreg push --via direct"])
    ratio("devreg direct / the bare export", times["devreg push --via direct"], times["the bare export"])
    ratio("devreg auto / devreg direct", times["devreg push"], times["devreg push --via direct"])


def archives(scene: Scene, rounds: int) -> None:
    """The same content from files."""
    layout, tar = scene.folder / "layout", scene.folder / "image.tar"
    source = ("--src-daemon-host", scene.engine.host, f"docker-daemon:{IMAGE}")
    run(need("skopeo", "skopeo"), "copy", "--quiet", *source, f"oci:{layout}:1", timeout=600)
    with tar.open("wb") as file:
        subprocess.run(["docker", "save", IMAGE], stdout=file, env={**os.environ, **scene.user.env}, check=True)
    times = take_turns(
        {
            "devreg push LAYOUT": scene.to_nothing(scene.devreg(str(layout), "--as", "large:1")),
            "skopeo copy oci:": scene.to_nothing(scene.skopeo(f"oci:{layout}:1")),
            "devreg push FILE.tar": scene.to_nothing(scene.devreg(str(tar), "--as", "large:1")),
            "skopeo copy docker-archive:": scene.to_nothing(scene.skopeo(f"docker-archive:{tar}")),
            "docker push": scene.to_nothing(scene.docker),
        },
        rounds,
    )
    figures("the same content from an OCI layout and from a docker-archive", times)
    ratio("docker push / devreg, layout", times["docker push"], times["devreg push LAYOUT"])
    ratio("skopeo / devreg, layout", times["skopeo copy oci:"], times["devreg push LAYOUT"])
    ratio("docker push / devreg, archive", times["docker push"], times["devreg push FILE.tar"])
    ratio("skopeo / devreg, archive", times["skopeo copy docker-archive:"], times["devreg push FILE.tar"])


def memory(scene: Scene) -> None:
    """The most that a push takes, whatever the size of the image."""
    with scene.registry() as server:
        shutil.rmtree(scene.user.folder / "cache", ignore_errors=True)
        words = scene.user.command("push", IMAGE, "--quiet", "--via", "direct", "--to", server.address)
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        kilobytes = int(run("python3", "-c", code, *words, timeout=600).stdout)
    print(f"peak resident memory of devreg push --via direct: {kilobytes / 1024:.0f} MiB")
