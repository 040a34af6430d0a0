"""A run as a page that opens offline."""
