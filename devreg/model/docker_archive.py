"""What `docker save` writes: `manifest.json` names the config and the layers of each image (moby, image/tarexport)."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from devreg.model.archive_json import a_list, a_text, an_object, damaged, read_json, within_bounds
from devreg.model.wire import digest_of, is_digest

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ArchivedImage:
    """An image in a docker-archive. `names`: as it was saved under; `layers`: each layer's member of the archive, from
    the lowest on, beside `diff_ids`, the digests of their tars. `elsewhere`: descriptors of layers that are not in the
    archive since they are had from another place ("foreign"), by diffID."""

    names: tuple[str, ...]
    config: bytes = field(repr=False)
    diff_ids: tuple[str, ...]
    layers: tuple[str, ...]
    elsewhere: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The digest of the config: what engines call the image's id."""
        return digest_of(self.config)


def images(manifest: bytes, member: Callable[[str], bytes | None]) -> tuple[ArchivedImage, ...]:
    """The images that a `manifest.json` names. `member` gives the content of a small member, None where there is none.

    Raises ArchiveUnusable for what makes no sense, for a config that is missing, and for names that lead out.
    """
    entries = a_list(read_json(manifest, MANIFEST), MANIFEST)
    if not entries:
        raise damaged(f"{MANIFEST} names no image")
    bounded = within_bounds(member)
    return tuple(_image(an_object(entry, f"an entry of {MANIFEST}"), bounded) for entry in entries)


def inside(name: str) -> str:
    """A member's name, made plain: `./a/../b` is `b`. Raises ArchiveUnusable for one that leads out of the archive."""
    plain = posixpath.normpath(name)
    if name.startswith("/") or plain.startswith("../") or plain in ("..", ".") or "\0" in name:
        raise damaged(f"it names {name!r}, which lies outside of it")
    return plain


def diff_ids(config: bytes, what: str) -> tuple[str, ...]:
    """The digests of the layers' tars, by an image's config. Raises ArchiveUnusable."""
    rootfs = an_object(an_object(read_json(config, what), what).get("rootfs"), f"rootfs in {what}")
    found = tuple(a_text(each, f"a layer in {what}") for each in a_list(rootfs.get("diff_ids"), f"diff_ids in {what}"))
    if wrong := next((each for each in found if not is_digest(each)), None):
        raise damaged(f"{what} has {wrong!r} for a layer, which is no digest")
    return found


def _image(entry: dict[str, object], member: Callable[[str], bytes | None]) -> ArchivedImage:
    name = inside(a_text(entry.get("Config"), f"a config in {MANIFEST}"))
    config = member(name)
    if config is None:
        raise damaged(f"{MANIFEST} names the config {name}, which is not there")
    layers = tuple(inside(a_text(each, "a layer's name")) for each in a_list(entry.get("Layers"), "Layers"))
    ids = diff_ids(config, name)
    elsewhere = _elsewhere(entry)
    if len(ids) != len(layers):
        raise damaged(f"{MANIFEST} names {len(layers)} layers, and the config {name} has {len(ids)}")
    names = tuple(a_text(each, "a name of an image") for each in a_list(entry.get("RepoTags"), "RepoTags"))
    return ArchivedImage(names, config, ids, layers, elsewhere)


def _elsewhere(entry: dict[str, object]) -> dict[str, dict[str, object]]:
    sources = an_object(entry.get("LayerSources") or {}, "LayerSources")
    found = {key: an_object(each, "a layer's source") for key, each in sources.items()}
    return {key: _foreign(each) for key, each in found.items() if each.get("urls")}


def _foreign(source: dict[str, object]) -> dict[str, object]:
    """A descriptor that goes into the manifest as it is."""
    urls, size = a_list(source["urls"], "the urls of a layer"), source.get("size")
    texts = [a_text(each, "a layer's source") for each in (source.get("digest"), source.get("mediaType", ""), *urls)]
    if not is_digest(texts[0]) or type(size) is not int or size < 0:
        raise damaged(f"{MANIFEST} has {texts[0]!r} with {size!r} bytes for the source of a layer")
    return source
