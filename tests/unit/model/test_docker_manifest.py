"""The manifest that is written for a docker-archive, byte for byte."""

import pytest

from devreg.model.docker_manifest import CONFIG, LAYER, written
from devreg.model.manifest import Descriptor, parse_manifest
from devreg.model.wire import digest_of

C, L, F = (f"sha256:{letter * 64}" for letter in "cef")
ENGINES = f"""{{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
   "config": {{
      "mediaType": "application/vnd.docker.container.image.v1+json",
      "size": 1470,
      "digest": "{C}"
   }},
   "layers": [
      {{
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "size": 977,
         "digest": "{L}"
      }}
   ]
}}"""


def test_it_is_what_engines_write() -> None:
    assert written(Descriptor(CONFIG, C, 1470), [Descriptor(LAYER, L, 977)]).decode() == ENGINES


def test_it_is_the_same_each_time() -> None:
    made = {digest_of(written(Descriptor(CONFIG, C, 1), [Descriptor(LAYER, L, 2)])) for _ in range(3)}
    assert len(made) == 1


def test_a_layer_that_is_there_twice_is_named_twice() -> None:
    layer = Descriptor(LAYER, L, 2)
    read = parse_manifest(written(Descriptor(CONFIG, C, 1), [layer, layer]), media_type="", digest=C)
    assert read.layers == (layer, layer)


def test_no_layers() -> None:
    assert parse_manifest(written(Descriptor(CONFIG, C, 1), []), media_type="", digest=C).layers == ()


@pytest.mark.parametrize("media_type", ["", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"])
def test_a_foreign_layer_keeps_its_urls(media_type: str) -> None:
    source = {"urls": ["https://a.example/b"], "digest": F, "size": 5, "extra": 1}
    body = written(Descriptor(CONFIG, C, 1), [source | ({"mediaType": media_type} if media_type else {})]).decode()
    assert body.endswith(
        f"""
      {{
         "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
         "size": 5,
         "digest": "{F}",
         "urls": [
            "https://a.example/b"
         ]
      }}
   ]
}}"""
    )
