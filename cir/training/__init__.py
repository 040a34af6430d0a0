"""Composed-triplet training of the compact encoder. Needs torch and timm; no page imports this."""
