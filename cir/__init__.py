"""Composed image retrieval: find images by a picture and a sentence."""

__version__ = "0.1.0"
