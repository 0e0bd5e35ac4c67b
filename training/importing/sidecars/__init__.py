"""Reads the facts that other exporters write about a model into the file's metadata, or into files beside it."""
