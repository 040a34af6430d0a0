"""Runs on disk: written, read back, counted, looked into, averaged, submitted, deleted."""
