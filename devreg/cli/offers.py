"""What may stand where a word of a devreg command line is being typed: commands, options, choices and names."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence

from devreg.cli.outline import Command, Parameter, known

Offer = tuple[str, str]
"""A word, and what it is; empty where the word says it all."""

FILES = ":files"
"""Instead of a word: the shell may offer files where no name fits."""


def tell(line: str) -> None:
    """Answer a shell, on stdout, as soon as there is something. `line`: the command line up to the cursor."""
    for some in answer(known(), line):
        sys.stdout.buffer.write(some.encode())
        sys.stdout.buffer.flush()


def answer(root: Command, line: str) -> Iterator[str]:
    """What a shell is told: an offer a line, a tab before what it is."""
    *before, word = _words(line)
    for some in offers(root, before[1:], word):
        yield "".join("\t".join(filter(None, each)) + "\n" for each in some)


def offers(root: Command, before: Sequence[str], word: str) -> Iterator[list[Offer]]:
    """What may stand for the unfinished `word` after the words `before`, which the program's name is not among.

    In portions, those first that are known soonest.
    """
    command, before = _called(root, before)
    given, arguments, awaited = _read(command, before)
    if awaited is not None:
        yield from _values(awaited, word, given)
    elif word.startswith("-") and "--" not in before:
        yield from _values_of_option(command, word, given) if "=" in word else [_options(command, word, given)]
    elif argument := _argument(command, len(arguments)):
        yield from _values(argument, word, given)
    elif not arguments:
        yield _beginning(word, ((name, each["help"]) for name, each in command["commands"].items()))


def _words(line: str) -> list[str]:
    """The words of a line as a shell reads them. The last is unfinished, and may be empty; quotes in it may be open."""
    reader = shlex.shlex(line, posix=True)
    reader.whitespace_split, reader.commenters = True, ""
    found: list[str] = []
    try:
        for word in reader:
            found.append(word)  # also what stands before a quote that is open
    except ValueError:
        return [*found, reader.token or ""]
    return found if line and not line[-1].isspace() else [*found, ""]


def _called(command: Command, words: Sequence[str]) -> tuple[Command, Sequence[str]]:
    """The command that the words lead to, and the words after its name."""
    for at, word in enumerate(words):
        if word in command["commands"]:
            return _called(command["commands"][word], words[at + 1 :])
        if not word.startswith("-"):
            break
    return command, words


def _read(command: Command, words: Sequence[str]) -> tuple[dict[str, str], list[str], Parameter | None]:
    """The options among the words, by their first names, the arguments, and the option whose value comes next."""
    options = {name: each for each in command["options"] for name in each["names"]}
    given: dict[str, str] = {}
    arguments: list[str] = []
    awaited, ended = None, False
    for word in words:
        name, equals, value = word.partition("=")
        if awaited is not None:
            given[awaited["names"][0]], awaited = word, None
        elif ended or not word.startswith("-") or word == "-":
            arguments.append(word)
        elif word == "--":
            ended = True
        elif name in options and (equals or options[name]["value"] is None):
            given[options[name]["names"][0]] = value
        else:
            awaited = options.get(name)
    return given, arguments, awaited


def _argument(command: Command, number: int) -> Parameter | None:
    """The argument that comes after `number` others; None when there is none."""
    arguments = command["arguments"]
    if number < len(arguments):
        return arguments[number]
    return arguments[-1] if arguments and arguments[-1]["many"] else None


def _options(command: Command, word: str, given: dict[str, str]) -> list[Offer]:
    """The options that begin with `word`, but for those that may stand once and do."""
    left = [each for each in command["options"] if each["many"] or each["names"][0] not in given]
    return _beginning(word, ((name, each["help"]) for each in left for name in each["names"]))


def _values_of_option(command: Command, word: str, given: dict[str, str]) -> Iterator[list[Offer]]:
    """The same for `--option=VALUE`, whose value has begun."""
    name, _, begun = word.partition("=")
    option = next((each for each in command["options"] if name in each["names"]), None)
    for some in _values(option, begun, given) if option else ():
        yield [(f"{name}={value}", meaning) for value, meaning in some if value != FILES]


def _values(parameter: Parameter, word: str, given: dict[str, str]) -> Iterator[list[Offer]]:
    """What may stand for an argument, or for the value of an option."""
    if parameter["choices"]:
        yield _beginning(word, ((choice, "") for choice in parameter["choices"]))
        return
    # Imported here, since commands and options are offered without it in half the time.
    from devreg.cli.names import names

    yield from names(parameter["value"] or "", word, given.get("--registry"))


def _beginning(word: str, found: Iterable[Offer]) -> list[Offer]:
    return [each for each in found if each[0].startswith(word)]
