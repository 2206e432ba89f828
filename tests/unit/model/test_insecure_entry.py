"""Which entries Docker starts with. The table was measured on engine 20.10.24, one reload each."""

import pytest

from devreg.model.insecure_entry import accepted, has_entry

TAKEN = """
h h:5000 H:5000 Reg.Example.COM 10.0.0.5 10.0.0.5:5000 [::1]:5000 ::1 ::1:5000 fe80::1 10.0.0.0/8 10.0.0.1/8 10.0.0.0/08
::1/128 fd00::/8 h:65535 h:0 h:00080 10.0.0.5: 10.0.0.5:+80 [::1]: http://h https://h:5000 HTTP://h HtTpS://h
http://10.0.0.0/8 999.1.1.1 1.2.3 1.2.3.4.5 010.0.0.1 010.0.0.1:80 ::ffff:1.2.3.4 [::ffff:1.2.3.4]:5000 docker.io
[10.0.0.5]:5000 a--b xn--bcher-kva.de 0.0.0.0/0 ::/0
"""

SPACED = ["", " h ", "h ", "\th", "h\n", "h:5000 "]
REFUSED = """
[::1] [fe80::1%eth0]:80 fe80::1%eth0 10.0.0.0/33 10.0.0.0/ 10.0.0/8 [fd00::]/8 fd00::/129 h/ h/path *.h my_reg:5000
my_reg h:99999 h:65536 h: h:abc h:-1 h:+1 -h h- h-:5000 a-.b a.-b a..b a. .a ftp://h http:// http://h/ http://h/path
https://https://h http://-h ü.de a:1:2 a,b [h]:5000 10.0.0.5:99999 [::1]:99999 h:99999999999999999999 h:5000/
256.0.0.0/8 10.0.0.0/8/8 [::1 ::1] []:5000 :5000 h# @h user@h %41 1::2::3 http:/// 10.0.0.0/-1 10.0.0.0/+8 [::1]5000
"""


@pytest.mark.parametrize("entry", TAKEN.split())
def test_passes_what_the_engine_takes(entry: str) -> None:
    assert accepted(entry)


@pytest.mark.parametrize("entry", SPACED + REFUSED.split())
def test_knows_what_keeps_docker_from_starting(entry: str) -> None:
    assert not accepted(entry)


def test_the_engine_strips_schemes_and_compares_byte_for_byte() -> None:
    assert has_entry(["a", "http://h:5000"], "h:5000")
    assert not has_entry(["H:5000", "h"], "h:5000")
