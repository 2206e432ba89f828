"""The folder of a server: paths that all of its files can hold as they are."""

from __future__ import annotations

import pytest

from devreg.model.errors import UsageError
from devreg.model.server import ServerFile
from devreg.model.server_processes import Place


@pytest.mark.parametrize("folder", ["/srv/registry", "/home/a.b@c/.local/state/devreg/registry", "/x_y-z+1"])
def test_plain_folders(folder: str) -> None:
    place = Place(folder)
    assert place.file(ServerFile.USERS) == f"{folder}/users/htpasswd"
    assert place.file(ServerFile.CERTIFICATE).startswith(f"{place.tls}/")
    parts = (place.data, place.users, place.tls, place.conf, place.log, place.temp, place.run)
    assert len(set(parts)) == 7
    assert all(each.startswith(f"{folder}/") for each in parts)


@pytest.mark.parametrize(
    "folder", ["srv", "", "/a b", "/a;b", "/a{b}", "/a'b", '/a"b', "/a%b", "/a$b", "/a\nb", "/ä", "/a#b"]
)
def test_folders_that_some_file_would_misread(folder: str) -> None:
    with pytest.raises(UsageError, match="cannot keep its data") as raised:
        Place(folder)
    assert "--data" in raised.value.hint
