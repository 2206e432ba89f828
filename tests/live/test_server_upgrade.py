"""New images for a real server: taken while uploads are under way, and given back when they do not work."""

import time
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from threading import Thread

from tests.live.conftest import Server, client
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.wire import MANIFEST, digest_of


def built(engine: Engine, tag: str, change: str) -> str:
    """An image like the server's with one change; gives its id."""
    with closing(engine.client()) as sdk:
        base = str(sdk.containers.get("devreg-registry").attrs["Config"]["Image"])
        image, _ = sdk.images.build(fileobj=BytesIO(f"FROM {base}\n{change}\n".encode()), tag=tag, rm=True)
        return str(image.id)


def ids(engine: Engine) -> dict[str, str]:
    with client(engine) as sdk:
        return {str(each.name): str(each.attrs["Image"]) for each in sdk.containers.list(all=True)}


def test_a_new_image_takes_over_and_uploads_go_on(up: Server, root: Devreg) -> None:
    new = built(up.engine, "lab/registry:2", "LABEL changed=1")
    before = ids(up.engine)["devreg-registry"]
    push = up.pusher.put_manifest("app", "1", up.pusher.image("app", "2024-01-02T03:04:05Z", [b"layer"]))
    location = up.pusher.begin_upload("app")

    answers = []

    def slowly() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 1000
            time.sleep(0.1)

    def send() -> None:
        answers.append(up.pusher("PATCH", location, {"Content-Type": "application/octet-stream"}, slowly()))

    sending = Thread(target=send)
    sending.start()
    time.sleep(0.5)
    image = ("--registry-image", "lab/registry:2")
    done = root.ok("registry", "upgrade", *image, "--json").document
    sending.join()
    changed = {each["role"]: each for each in done["data"]["containers"]}
    assert done["changed"] is True
    assert (changed["registry"]["id_before"], changed["registry"]["id"]) == (before, new)
    assert ids(up.engine)["devreg-registry"] == new
    assert set(ids(up.engine)) == {"devreg-nginx", "devreg-registry"}
    assert answers[0].status == 202
    goes_on = answers[0].one("Location").removeprefix(f"http://{up.address}")
    ended = up.pusher("PUT", f"{goes_on}&digest={digest_of(b'x' * 40000)}")
    assert ended.status == 201, ended
    stored = up.anybody("GET", "/v2/app/manifests/1", {"Accept": MANIFEST})
    assert stored.one("Docker-Content-Digest") == push
    assert root.ok("registry", "upgrade", *image, "--json").document["changed"] is False


def test_an_image_that_does_not_work_gives_the_old_one_back(up: Server, root: Devreg) -> None:
    built(up.engine, "lab/broken:1", "RUN rm /usr/bin/registry")
    before = ids(up.engine)
    failed = root.fails(30, "registry", "upgrade", "--registry-image", "lab/broken:1")
    assert "devreg-registry stopped" in failed.stderr
    assert ids(up.engine) == before
    assert root.ok("registry", "status", "--json").data["healthy"] is True
    assert up.pusher("POST", "/v2/app/blobs/uploads/").status == 202


def test_an_image_that_is_nowhere_stops_nothing(up: Server, root: Devreg) -> None:
    before = ids(up.engine)
    root.fails(30, "registry", "upgrade", "--registry-image", "127.0.0.1:1/none:1")
    assert ids(up.engine) == before
