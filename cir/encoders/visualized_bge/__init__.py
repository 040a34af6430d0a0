"""Visualized BGE: a BGE text model that reads the image tokens of an EVA02 tower."""
