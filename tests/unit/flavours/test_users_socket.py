"""Whose engine it is, by its socket."""

import pwd
from pathlib import Path

import pytest

from devreg.flavours.users_socket import place, refuse_others
from devreg.model.errors import ConfigUnusable


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert place(f"unix://{tmp_path}/link") == tmp_path / "real"
    assert place("npipe:////./pipe/docker_engine") == Path()


def test_ones_own_is_fine(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    refuse_others(f"unix://{tmp_path}/s")
    refuse_others(f"unix://{tmp_path}/none")
    refuse_others("npipe:////./pipe/docker_engine")


def test_another_users_is_refused_with_his_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s").touch()
    owner = pwd.getpwuid((tmp_path / "s").stat().st_uid).pw_name
    monkeypatch.setattr("os.geteuid", lambda: 987654)
    with pytest.raises(ConfigUnusable, match=f"s is {owner}'s, and so are its files") as caught:
        refuse_others(f"unix://{tmp_path}/s")
    assert caught.value.hint == f"run the command as {owner}, without sudo"
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    with pytest.raises(ConfigUnusable, match=r"s is user \d+'s"):
        refuse_others(f"unix://{tmp_path}/s")
