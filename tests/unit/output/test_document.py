from __future__ import annotations

import json

import pytest

from devreg.model.errors import NotFound
from devreg.model.results import Layers, Pushed, ServerStatus
from devreg.output import document


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("}\n")
    value = json.loads(out)
    assert isinstance(value, dict)
    return value


def test_the_envelope_of_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    document.success("tags", {"tags": ()}, changed=True)
    assert list(printed(capsys).items()) == [
        ("schema", "devreg/1"),
        ("command", "tags"),
        ("ok", True),
        ("changed", True),
        ("data", {"tags": []}),
        ("errors", []),
    ]


def test_the_envelope_of_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    document.failure("push", "not-found", "no image", "look")
    assert printed(capsys) == {
        "schema": "devreg/1",
        "command": "push",
        "ok": False,
        "changed": False,
        "data": None,
        "errors": [{"code": "not-found", "message": "no image", "hint": "look"}],
    }


def test_what_failed_among_what_did_not(capsys: pytest.CaptureFixture[str]) -> None:
    document.success("push", {}, ok=False, errors=[NotFound("no image", hint="look")])
    assert printed(capsys)["errors"] == [{"code": "not-found", "message": "no image", "hint": "look"}]


def test_results_within_results_become_plain(capsys: pytest.CaptureFixture[str]) -> None:
    pushed = Pushed("app", "r/app:1", "sha256:1", "engine", 5, Layers(1, 2, 3))
    status = ServerStatus(True, True, None, {"nginx": "n:1"}, ("alice",), None)
    document.success("x", {"pushed": (pushed,), "status": status})
    assert printed(capsys)["data"] == {
        "pushed": [
            {
                "image": "app",
                "reference": "r/app:1",
                "digest": "sha256:1",
                "route": "engine",
                "bytes_sent": 5,
                "layers": {"sent": 1, "mounted": 2, "existing": 3},
            }
        ],
        "status": {
            "running": True,
            "healthy": True,
            "address": None,
            "images": {"nginx": "n:1"},
            "users": ["alice"],
            "volume": None,
            "tls": "off",
            "certificate_ends": None,
            "external_auth": None,
            "runtime": "containers",
            "folder": None,
            "free": None,
            "used": None,
            "repositories": None,
            "uploads": None,
        },
    }
