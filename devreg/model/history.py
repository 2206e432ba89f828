"""What made each layer of an image, by the history in its config (OCI image-spec, config.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Builders write `/bin/sh -c make`, with the build arguments that were set before it as `|2 A=x B=y /bin/sh -c make`;
# BuildKit puts RUN before it and `# buildkit` behind. What runs nothing is `/bin/sh -c #(nop) COPY …`.
_NO_RUN = re.compile(r"/bin/sh -c #\(nop\)\s+")
_SHELL = re.compile(r"(?:RUN )?(?:\|\d+ .*? )?/bin/sh -c ", re.DOTALL)
_BUILDKIT = " # buildkit"


def instructions(history: object, layers: int) -> Sequence[str | None]:
    """The instruction that made each of so many layers, from the lowest on; None where that is not told.

    A history that tells of more or fewer layers than there are tells nothing: some instruction would be at the wrong
    layer.
    """
    steps = history if isinstance(history, list) else []
    if not all(isinstance(step, dict) for step in steps):
        return [None] * layers
    made = [step.get("created_by") for step in steps if step.get("empty_layer") is not True]
    if len(made) != layers:
        return [None] * layers
    return [cleaned(step) if isinstance(step, str) and step.strip() else None for step in made]


def cleaned(step: str) -> str:
    """An instruction as it stood in the Dockerfile, without what builders put around it."""
    step = step.strip().removesuffix(_BUILDKIT)
    if found := _NO_RUN.match(step):
        return step[found.end() :]
    if found := _SHELL.match(step):
        return f"RUN {step[found.end() :].lstrip()}"
    return step
