"""Runs of one labelled set side by side."""
