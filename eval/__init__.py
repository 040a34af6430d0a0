"""Evaluation: labelled sets, measures, and runs over the same search that people use."""
