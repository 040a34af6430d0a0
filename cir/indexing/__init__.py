"""Folders, uploads, archives and metadata tables into an index."""
