"""devreg makes a private Docker registry pleasant."""

__version__ = "0.1.0"
