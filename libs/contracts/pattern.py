"""What patterns of text fields have in common."""

END = r"$(?!\n)"
"""The end of the text. Python's `$` alone is also before a line break that ends it, and JSON Schema has no `\\Z`."""
