"""Field names are keys of the JSON contract: they may be added, never renamed or taken away."""

from __future__ import annotations

import dataclasses

import pytest

from devreg.model import listing, results

CONTRACT = {
    listing.Repository: {"name", "tags", "size", "updated"},
    listing.Tag: {"repository", "name", "digest", "size", "created", "platforms", "media_type", "error"},
    results.Layers: {"sent", "mounted", "existing"},
    results.Pushed: {"image", "reference", "digest", "route", "bytes_sent", "layers"},
    results.Pulled: {"reference", "digest", "changed"},
    results.Trusted: {"address", "flavour", "file", "applied", "verified"},
    results.StepResult: {"name", "state", "detail"},
    results.ServerStatus: {"running", "healthy", "address", "images", "users", "volume"},
}


@pytest.mark.parametrize("kind", CONTRACT, ids=lambda kind: kind.__name__)
def test_the_fields_of_the_contract_are_there(kind: type) -> None:
    assert {field.name for field in dataclasses.fields(kind)} >= CONTRACT[kind]


@pytest.mark.parametrize(
    "kind",
    [kind for kind in (*vars(results).values(), *vars(listing).values()) if dataclasses.is_dataclass(kind)],
    ids=lambda kind: kind.__name__,
)
def test_results_are_frozen(kind: type) -> None:
    assert getattr(kind, "__dataclass_params__").frozen  # noqa: B009 - typeshed does not know it


def test_a_generated_password_does_not_show_in_a_traceback() -> None:
    status = results.ServerStatus(True, True, "127.0.0.1:5000", {}, (), None)
    assert "s3cret" not in repr(results.ServerUp(status, True, "alice", "s3cret"))
