"""Points for what happens to contacts."""
