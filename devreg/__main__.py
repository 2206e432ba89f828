"""The program: `python -m devreg`, and what the installed `devreg` runs."""

from __future__ import annotations

import gc
import os
import sys
import threading

# The scripts in actions/completions set them: the shell's name, and the line up to the cursor.
_COMPLETE, _LINE = "_DEVREG_COMPLETE", "_DEVREG_LINE"
_ANSWER_SECONDS = 0.12  # with the start of Python before it, whoever presses TAB waits for 150 ms at most


def main() -> None:
    """Answer a shell that completes a line, or carry out a command."""
    if _COMPLETE in os.environ:
        _answer()
    from devreg.cli import boundary
    from devreg.cli.app import app

    code = boundary.run(app, sys.argv[1:])
    gc.freeze()  # else all that was imported is searched for cycles once more at the end: a fifth of a short command
    sys.exit(code)


def _answer() -> None:
    """Offer what may stand where TAB was pressed, and end: in time and without a word of error, whatever happens."""
    try:
        late = threading.Timer(_ANSWER_SECONDS, os._exit, [0])  # a lock or a network's disk may be waited for
        late.daemon = True
        late.start()
        gc.disable()  # a tenth of the time; nothing here lives long enough to be worth collecting
        from devreg.cli.offers import tell

        tell(os.environ.get(_LINE, ""))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
