"""What trust means for each kind of engine: its file, how a change of it comes alive, and what proves that."""
