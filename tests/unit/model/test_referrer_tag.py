"""Tags that belong to a manifest by their name."""

import pytest

from devreg.model.referrer_tag import cosign_tags, list_tag, subject

HEX = "ab" * 32


@pytest.mark.parametrize("tag", [f"sha256-{HEX}", f"sha256-{HEX}.sig", f"sha256-{HEX}.att", f"sha256-{HEX}.sbom"])
def test_tags_that_belong_to_a_manifest(tag: str) -> None:
    assert subject(tag) == f"sha256:{HEX}"


@pytest.mark.parametrize(
    "tag",
    [
        "1.0",
        "sha256-abc",
        f"sha256-{HEX}ab",
        f"sha256-{HEX.upper()}",
        f"sha512-{HEX}",
        f"v-sha256-{HEX}",
        f"sha256:{HEX}",
    ],
)
def test_other_tags(tag: str) -> None:
    assert subject(tag) is None


def test_the_tags_of_a_manifest() -> None:
    digest = f"sha256:{HEX}"
    assert list_tag(digest) == f"sha256-{HEX}"
    assert cosign_tags(digest) == (f"sha256-{HEX}.sig", f"sha256-{HEX}.att", f"sha256-{HEX}.sbom")
    assert {subject(tag) for tag in (list_tag(digest), *cosign_tags(digest))} == {digest}
    assert list_tag(f"sha512:{HEX}{HEX}") == f"sha512-{HEX}", "else it would be too long for a tag"
