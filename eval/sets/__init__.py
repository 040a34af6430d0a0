"""Labelled sets: their shape, the catalogue of those with a name, people's own, file formats."""
