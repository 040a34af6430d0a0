"""Background work with progress and cancel, for the pages."""
