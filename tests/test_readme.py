"""What the README says is so: commands, options, settings and exit codes. Its examples run in tests/live."""

import re
from pathlib import Path

import typer

from devreg.cli import boundary
from devreg.cli.app import app
from devreg.host.declaration_file import parse
from devreg.model import errors
from devreg.settings import SETTINGS

README = (Path(__file__).parents[1] / "README.md").read_text()
CODE = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)) + "\n".join(re.findall(r"`(devreg [^`]+)`", README))


def _commands() -> dict[str, set[str]]:
    """Every command with its options, by its words."""
    found: dict[str, set[str]] = {}

    def walk(words: str, command: object) -> None:
        children = getattr(command, "commands", {})
        for name, child in children.items():
            walk(f"{words} {name}".strip(), child)
        if not children or getattr(command, "invoke_without_command", False):
            found[words] = {option for each in getattr(command, "params", []) for option in each.opts}

    walk("", typer.main.get_command(app))
    return found


def test_every_command_is_in_the_readme() -> None:
    missing = [words for words in _commands() if f"devreg {words}" not in README]
    assert missing == []


def test_every_example_names_a_command_and_options_that_exist() -> None:
    known = _commands()
    for line in re.findall(r"devreg ((?:[a-z]+ ?)+.*)", CODE):
        plain = re.split(r"\s#|[|;)]", line)[0].split()
        name = max((words for words in known if plain[: len(words.split())] == words.split()), key=len, default=None)
        assert name or plain[0] == "registry", line
        options = {word for word in plain if word.startswith("-") and word not in ("-", "-f1")}
        assert options <= known.get(name or "", set()) | {"--yes"}, line


def test_the_table_of_settings_is_complete() -> None:
    for setting in SETTINGS.values():
        assert f"| `{setting.key}` | `{setting.variable}` | `{setting.default}` |" in README


def test_the_table_of_exit_codes_is_complete() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    raised = {each.exit_code for each in errors.DevregError.__subclasses__()}
    assert listed == raised | {0, boundary.BUG, boundary.INTERRUPTED}


def test_the_declaration_is_one() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    found = parse(example, "devreg.toml")
    assert (str(found.registry), len(found.registries), len(found.pull)) == ("registry.example.com:5000", 1, 1)
