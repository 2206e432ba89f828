"""Whether a registry was reached, in the words of podman 4.3, of ctr 1.6 and of the Go libraries under them."""

import pytest

from devreg.model.verdict import Reach, verdict

REFUSED = [
    # podman 4.3
    'pinging container registry 10.0.0.5:5000: Get "https://10.0.0.5:5000/v2/": http: server gave HTTP response to '
    "HTTPS client",
    'pinging container registry 10.0.0.5:5000: Get "https://10.0.0.5:5000/v2/": tls: first record does not look like a '
    "TLS handshake",
    'pinging container registry h:5000: Get "https://h:5000/v2/": x509: cannot validate certificate for 10.0.0.5 '
    "because it doesn't contain any IP SANs",
    # ctr 1.6
    'ctr: failed to resolve reference "h:5000/x:none": failed to do request: Head "https://h:5000/v2/x/manifests/none"'
    ": tls: first record does not look like a TLS handshake",
    'ctr: failed to resolve reference "h:5000/x:none": failed to do request: Head "https://h:5000/v2/x/manifests/none"'
    ": x509: certificate signed by unknown authority",
]
ANSWERED = [
    "Error: initializing source docker://h:5000/x:none: reading manifest none in h:5000/x: manifest unknown: manifest "
    "unknown",
    'ctr: failed to resolve reference "h:5000/x:none": h:5000/x:none: not found',
    "Error: initializing source docker://h/x:none: unable to retrieve auth token: invalid username/password: "
    "unauthorized: authentication required",
]
STRANGERS = [
    # docker 20.10
    "error unmarshalling content: invalid character 'w' looking for beginning of value",
    "error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<html>no</html>\"",
    "received unexpected HTTP status: 502 Bad Gateway",
]
UNREACHABLE = [
    # docker 26.1 with the containerd store, of unverified TLS: its attempt falls back to HTTP, while its pulls work
    "unknown: <html>\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",
    'pinging container registry h:5000: Get "http://h:5000/v2/": dial tcp 10.0.0.5:5000: connect: connection refused',
    'ctr: failed to resolve reference "h:5000/x:none": failed to do request: Head "https://h:5000/v2/x/manifests/none"'
    ": dial tcp 10.0.0.5:5000: connect: connection refused",
    'pinging container registry h: Get "https://h/v2/": dial tcp: lookup h on 10.0.0.1:53: no such host',
    'pinging container registry h: Get "https://h/v2/": dial tcp 10.0.0.5:443: i/o timeout',
    "",
]


@pytest.mark.parametrize("words", REFUSED)
def test_a_connection_that_is_not_accepted(words: str) -> None:
    assert verdict(words).reach is Reach.REFUSED


@pytest.mark.parametrize("words", ANSWERED)
def test_a_registry_that_answers(words: str) -> None:
    assert verdict(words).reach is Reach.ANSWERED


@pytest.mark.parametrize("words", STRANGERS)
def test_somebody_who_is_no_registry(words: str) -> None:
    assert verdict(words).reach is Reach.STRANGER


@pytest.mark.parametrize("words", UNREACHABLE)
def test_nobody_there(words: str) -> None:
    assert verdict(words).reach is Reach.UNREACHABLE
    assert verdict(words).words == words
