"""What OpenSSL's numbers and reasons mean, as Python's ssl module hands them on (X509_V_ERR_… and SSL_R_…)."""

from __future__ import annotations

EXPIRED, NOT_YET_VALID = 10, 9
WRONG_NAME = (62, 64)
UNKNOWN_CA = (18, 19, 20, 21)
NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
