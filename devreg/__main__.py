"""`python -m devreg`."""

from devreg.cli.app import main

main()
