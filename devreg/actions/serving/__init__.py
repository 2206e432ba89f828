"""The registry server: up in containers or as processes, installed or rendered as files, and kept."""
