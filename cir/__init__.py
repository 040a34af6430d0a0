"""Composed image retrieval: find images by a picture and a sentence."""
