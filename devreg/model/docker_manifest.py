"""A manifest for an image that has none yet: Docker's (image manifest v2, schema 2), byte for byte as engines write it.

So an image whose layers are up already gets the same digest, whichever way it is pushed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from devreg.model.manifest import DOCKER_IMAGE, Descriptor

CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def written(config: Descriptor, layers: Sequence[Descriptor | Mapping[str, object]]) -> bytes:
    """The manifest's bytes. A layer is one that is up, or the descriptor of one that is had from elsewhere."""
    content = {
        "schemaVersion": 2,
        "mediaType": DOCKER_IMAGE,
        "config": _plain(config),
        "layers": [_plain(layer) if isinstance(layer, Descriptor) else _foreign(layer) for layer in layers],
    }
    return json.dumps(content, indent=3).encode()  # the indent of distribution's schema2 package


def _plain(descriptor: Descriptor) -> dict[str, object]:
    return {"mediaType": descriptor.media_type, "size": descriptor.size, "digest": descriptor.digest}


def _foreign(layer: Mapping[str, object]) -> dict[str, object]:
    fields = ("mediaType", "size", "digest", "urls")
    return {"mediaType": FOREIGN_LAYER} | {name: layer[name] for name in fields if name in layer}
