"""The image that is made from packages: which files, under which names."""

from __future__ import annotations

import io
import tarfile

import pytest

from devreg.server.rootfs import ROOTS, Rootfs, wanted


def package(files: dict[str, str], links: dict[str, str] | None = None, hard: bool = False) -> tarfile.TarFile:
    """A package's files, under names as dpkg-deb gives them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE if hard else tarfile.SYMTYPE, target
            archive.addfile(member)
    buffer.seek(0)
    return tarfile.open(fileobj=buffer)


def built(*packages: tarfile.TarFile) -> tarfile.TarFile:
    buffer = io.BytesIO()
    rootfs = Rootfs(buffer)
    for each in packages:
        rootfs.add(each)
    rootfs.finish()
    buffer.seek(0)
    return tarfile.open(fileobj=buffer)


def text(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(name)
    assert file
    return file.read().decode()


def test_files_of_packages_from_before_the_merge_move_below_usr() -> None:
    image = built(package({"./": "", "./bin/": "", "./bin/tool": "t", "./usr/sbin/nginx": "n", "./etc/x": "x"}))
    assert text(image, "usr/bin/tool") == "t"
    assert text(image, "usr/sbin/nginx") == "n"
    assert text(image, "etc/x") == "x"
    assert image.getmember("bin").linkname == "usr/bin"


def test_hard_links_follow_their_files() -> None:
    image = built(package({"./bin/a": "a"}, {"./bin/b": "./bin/a"}, hard=True))
    assert image.getmember("usr/bin/b").linkname == "usr/bin/a"


def test_symbolic_links_stay_as_they_are() -> None:
    image = built(package({}, {"./lib/libx.so.1": "libx.so.1.2"}))
    assert image.getmember("usr/lib/libx.so.1").linkname == "libx.so.1.2"


def test_no_path_is_there_twice_and_the_first_wins() -> None:
    image = built(package({"./usr/lib/x": "first"}), package({"./lib/x": "second"}))
    names = image.getnames()
    assert len(names) == len(set(names))
    assert text(image, "usr/lib/x") == "first"


@pytest.mark.parametrize("name", ["./usr/share/doc/nginx/copyright", "./usr/share/man/man1/x.1", "./usr/lib/x/perl/y"])
def test_what_no_server_needs_is_left_out(name: str) -> None:
    assert name.removeprefix("./") not in built(package({name: "x"})).getnames()


def test_what_the_published_images_call_is_there() -> None:
    image = built()
    assert image.getmember("usr/bin/registry").linkname == "docker-registry"
    assert image.getmember("usr/bin/sh").linkname == "busybox"
    assert image.getmember("usr/bin/mv").linkname == "busybox"
    assert "nginx:x:101:101" in text(image, "etc/passwd")
    assert image.getmember("tmp").mode == 0o1777
    assert image.getmember("var/lib/registry").isdir()


@pytest.mark.parametrize(
    ("name", "section", "expected"),
    [
        *((root, "httpd", True) for root in ROOTS),
        ("libc6", "libs", True),
        ("nginx-common", "httpd", True),
        ("perl-base", "perl", False),
        ("adduser", "admin", False),
    ],
)
def test_which_packages_belong_in(name: str, section: str, expected: bool) -> None:
    assert wanted(name, section) is expected
