"""Which layer a folder of an old docker-archive holds, told before its layer is read.

Engines before 25 write each layer into a folder whose name is the digest of a JSON text that names the layer's chain
(moby, image/v1: CreateID). The folder's own file `json` has all of that text but the chain, so each layer of an image
can be tried. The stream has the folders in the order of their names, not of the layers (measured on 20.10).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def layer_of(folder: str, text: bytes, diff_ids: Sequence[str]) -> str | None:
    """The diffID of the layer in `folder`, by its file `json` (`text`), among those of one image; None for no match."""
    try:
        content = json.loads(text)
        parent = content.pop("parent", None)
        content.pop("id", None)
        raw = {key: _go(value) for key, value in content.items()}
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None
    chain = ""
    for diff_id in diff_ids:
        chain = diff_id if not chain else f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}"
        fields = {**raw, "layer_id": _go(chain), **({"parent": _go(f"sha256:{parent}")} if parent else {})}
        # The operating system joins a lower layer's file after its name was made.
        if folder in (_name(fields), _name({key: value for key, value in fields.items() if key != "os"})):
            return diff_id
    return None


def _name(fields: Mapping[str, str]) -> str:
    text = "{" + ",".join(f"{_go(key)}:{fields[key]}" for key in sorted(fields)) + "}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()  # JSON may hold half of a character


def _go(value: object) -> str:
    """JSON as Go's encoder writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return "".join(_ESCAPED.get(character, character) for character in text)
