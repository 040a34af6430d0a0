"""The sample catalogue: a few hundred garments that the project draws itself."""
