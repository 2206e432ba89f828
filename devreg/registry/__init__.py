"""The remote registry's HTTP API. The only importer of `httpx`."""
