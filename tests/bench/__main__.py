"""`python -m tests.bench [listing|push|front|replicas]`, as root: starts what it needs, prints ratios, stops it."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import platformdirs

from tests.bench import front, listing, push, replicas, routes
from tests.bench.push import Scene
from tests.live.conftest import free_port, free_subnet, reload
from tests.live.lab.devreg import Devreg, user_of, with_own_state
from tests.live.lab.dockerd import dockerd
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import run

ROUNDS, LARGE_ROUNDS = 5, 3


def main(wanted: Sequence[str]) -> None:
    """Run the comparisons that are named, or all."""
    cache = platformdirs.user_cache_path("devreg-tests", appauthor=False)
    with tempfile.TemporaryDirectory(prefix="db-", dir="/tmp") as folder:
        root = Path(folder)
        if "listing" in (wanted or ("listing",)):
            nobody = Devreg(root / "lister", f"unix://{root}/no-engine")
            listing.compare(nobody, root / "listing", cache, ROUNDS)
        if "front" in (wanted or ("front",)):
            front.compare(root / "front", cache, ROUNDS)
        if "replicas" in (wanted or ("replicas",)):
            _replicas(root, cache)
        if "push" in (wanted or ("push",)):
            _push(root, cache)


def _replicas(root: Path, cache: Path) -> None:
    with dockerd(root / "r", name="bench", subnet=free_subnet()) as engine:
        admin, address = user_of(engine, root / "admin"), f"127.0.0.1:{free_port()}"
        # Which makes the image that the swarm's services have, too.
        admin.ok("registry", "up", "--images-from", "packages", "--listen", address)
        admin.ok("registry", "down", "--volumes", "--yes")
        replicas.compare(engine, root / "replicas", cache, LARGE_ROUNDS)


def _push(root: Path, cache: Path) -> None:
    with dockerd(root / "e", name="bench", subnet=free_subnet()) as engine:
        user, address = user_of(engine, root / "user"), f"127.0.0.1:{free_port()}"
        user.ok("registry", "up", "--listen", address, "--user", "bench", "--password-stdin", input="bench")
        user.ok("login", address, "-u", "bench", "--password-stdin", input="bench")
        _startup(user)
        _trust(engine, with_own_state(user))
        _repeated_push(engine, user, address)
        push.build(engine, root / "image")
        scene = Scene(engine, user, root, cache)
        push.fresh(scene, LARGE_ROUNDS)
        push.archives(scene, LARGE_ROUNDS)
        routes.compare(scene, LARGE_ROUNDS)
        push.memory(scene)


def _startup(user: Devreg) -> None:
    python = [sys.executable, "-c", "pass"]
    ours, theirs = _alternately(lambda _: user.ok("--version"), lambda _: run("env", *python))
    _tell("devreg --version against an empty Python program", ours, theirs)


def _trust(engine: Engine, user: Devreg) -> None:
    """Nothing to do, against the smallest program that parses with typer; then a change, against a reload."""
    tiny = "import typer; app = typer.Typer(); app.command()(lambda x='': None); app(['--x', 'b'])"
    entry = "bench.invalid:5000"
    user.ok("trust", entry)
    ours, theirs = _alternately(lambda _: user.ok("trust", entry), lambda _: run(sys.executable, "-c", tiny))
    _tell("devreg trust with nothing to do against a program of one line with typer", ours, theirs)

    def change(number: int) -> None:
        user.ok("trust", f"bench{number}.invalid:5000")

    _tell("devreg trust against the engine's own reload", *_alternately(change, lambda _: reload(engine)))


def _repeated_push(engine: Engine, user: Devreg, address: str) -> None:
    name = f"{address}/bench/again:1"
    with closing(engine.client()) as client:
        multi_layer_image(client, name)
    user.ok("push", name)
    _tell(
        "devreg push against docker push, nothing new",
        *_alternately(lambda _: user.ok("push", name), lambda _: run("docker", "push", name, env=user.env)),
    )


def _alternately(ours: Callable[[int], object], theirs: Callable[[int], object]) -> tuple[float, float]:
    """Median seconds of each side; they take turns, so that a busy moment of the machine hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS):
        for side, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            call(number)
            times[side].append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def _tell(what: str, ours: float, theirs: float) -> None:
    print(f"{what}: {ours:.2f} s / {theirs:.2f} s = {ours / theirs:.2f}")


main(sys.argv[1:])
