"""One file per promise to the user. Plain functions; they return frozen dataclasses and never print."""
