"""What the scripts in the registry's container print, read."""

from datetime import datetime, timezone

import pytest

from devreg.model.results import Upload
from devreg.server import storage
from devreg.server.storage import Blob

HEX = "0123456789abcdef" * 4


def test_what_the_collector_would_delete() -> None:
    said = ["app: marking blob sha256:" + "f" * 64, "", f"blob eligible for deletion: sha256:{HEX}"]
    assert storage.unneeded(said) == [HEX]
    assert storage.blobs([f"{HEX} 12 3600"]) == (Blob(HEX, 12, 3600),)


def test_requests_under_way() -> None:
    name = "registry_http_in_flight_requests"
    metrics = [f"# HELP {name} x", *(f'{name}{{handler="{each}"}} {n}' for n, each in enumerate(("blob", "manifest")))]
    assert storage.in_flight([*metrics, f'{name}{{handler="blob_upload_chunk"}} 2', f'{name}{{handler="tags"}} 9']) == 3


def test_usage_and_uploads() -> None:
    assert storage.usage(["100", "2", "3"]) == (100, 2048, 3)
    assert storage.usage(["100", "-", "-"]) == (100, None, None)
    assert storage.uploads(["a/b\tid\t5\t60"]) == (Upload("a/b", "id", 5, 60),)


@pytest.mark.parametrize(
    ("request_line", "found"),
    [
        (f"HEAD /v2/a/b/blobs/sha256:{HEX} HTTP/1.1", True),
        (f"HEAD /v2/a/b/blobs/sha256%3A{HEX}?ns=x HTTP/1.1", True),
        (f"POST /v2/a/blobs/uploads/?from=b&mount=sha256%3a{HEX} HTTP/1.1", True),
        (f"POST /v2/a/blobs/uploads/?mount=sha256:{HEX}&from=b HTTP/1.1", True),
        (f"PUT /v2/a/manifests/sha256:{HEX} HTTP/1.1", False),
    ],
)
def test_blobs_that_clients_were_told_of(request_line: str, found: bool) -> None:
    line = f'172.19.0.1 - - [26/Nov/2026:17:06:01 +0000] "{request_line}" 200 0 "-" "docker"'
    before, after = (datetime(2026, 11, 26, 17, 6, second, tzinfo=timezone.utc) for second in (1, 2))
    assert list(storage.asked_for([line], before)) == ([HEX] if found else [])
    assert list(storage.asked_for([line.replace("26/Nov", "no date")], before)) == ([HEX] if found else [])
    assert list(storage.asked_for([line.replace(" 200 ", " 404 ")], before)) == []
    assert list(storage.asked_for([line], after)) == []
    assert list(storage.asked_for([line.replace("17:06:01 +0000", "19:06:02 +0200")], after)) == (
        [HEX] if found else []
    )


def test_links() -> None:
    digest = f"sha256:{HEX}"
    root = "repositories/team/app/_manifests"
    assert list(storage.tags([f"{root}/tags/1.0/current/link:{digest}"])) == [("team/app", "1.0", digest)]
    assert list(storage.manifests([f"{root}/revisions/sha256/{HEX}/link:{digest}", "noise"])) == [("team/app", digest)]
