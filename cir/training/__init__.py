"""Composed-triplet training. Needs torch and timm; nothing else in the project imports this."""
