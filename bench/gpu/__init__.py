"""What a GPU does for the service: one command, no network, one report. See ``python -m bench.gpu --help``."""
