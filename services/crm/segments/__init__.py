"""Segments: what their rules are, and who is in them."""
