"""Encoders: pixels and text to unit vectors. Importing this package loads no model library."""
