"""Readers of labelled sets, one module a file format."""
