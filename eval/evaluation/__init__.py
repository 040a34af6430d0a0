"""Labelled set, encoder and gallery to a run, through `cir.search`."""
