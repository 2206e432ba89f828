"""This machine: files, locks, services, processes, credentials."""
