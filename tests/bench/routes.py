"""`devreg push` against each of its two routes: it is to choose the better one, whatever is up already."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tests.bench.push import IMAGE, Scene
from tests.bench.taking_turns import Side, figures, ratio, take_turns
from tests.live.lab.engine import Engine

WAYS = ("auto", "engine", "direct")
CHANGED = "bench/changed:1"


def compare(scene: Scene, rounds: int) -> None:
    """Each situation, by each way. The large image is up before, pushed by devreg in the same way."""
    _one_layer_more(scene.engine)
    for what, image, options in (
        ("one small layer changed", CHANGED, ("--as", "bench/large:2")),
        ("nothing changed", IMAGE, ()),
        ("another tag", IMAGE, ("-t", "again")),
        ("another repository", IMAGE, ("--as", "elsewhere/large:1")),
    ):
        times = take_turns({way: _after_a_push(scene, image, options, way) for way in WAYS}, rounds)
        figures(what, times)
        ratio("auto / the better of the two", times["auto"], min(times["engine"], times["direct"]))


def _after_a_push(scene: Scene, image: str, options: tuple[str, ...], way: str) -> Side:
    @contextmanager
    def prepared() -> Iterator[Callable[[], object]]:
        shutil.rmtree(scene.user.folder / "cache", ignore_errors=True)
        with scene.registry() as server:
            to = ("--quiet", "--to", server.address, "--via", way)
            scene.user.ok("push", IMAGE, *to)
            yield lambda: scene.user.ok("push", image, *to, *options)

    return prepared


def _one_layer_more(engine: Engine) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in (("Dockerfile", f"FROM {IMAGE}\nCOPY small /small\n".encode()), ("small", b"x" * 100_000)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    context.seek(0)
    with closing(engine.client()) as client:
        client.images.build(fileobj=context, custom_context=True, tag=CHANGED, rm=True)
