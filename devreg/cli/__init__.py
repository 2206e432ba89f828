"""The command line: words in, one action called, its result handed to output."""
