"""Plans for several repositories are carried out, one after the other: what `rm` and `prune` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devreg.model.deletion_plan import Outcome, Plan
from devreg.model.errors import DevregError, RefusedOverwrite


def in_each(work: Sequence[tuple[str, Callable[[], Outcome]]]) -> tuple[Outcome, ...]:
    """What came of each. The names are the repositories': one where nothing could be done is no reason to leave out
    the next. Raises what is raised by a single one."""
    outcomes = []
    for repository, carry_out in work:
        try:
            outcomes.append(carry_out())
        except DevregError as error:
            if len(work) == 1:
                raise
            outcomes.append(Outcome(repository, failed={repository: error}))
    return tuple(outcomes)


def check_seen(now: Plan, shown: Plan) -> None:
    """Raise RefusedOverwrite where less can be seen by now than when somebody agreed."""
    if now.unlisted and not shown.unlisted:
        raise RefusedOverwrite(
            f"what refers to images of {now.repository} cannot be seen any more; nothing was changed: {now.unlisted}",
            hint="run the command again, and look at what it names",
        )
