"""What is queued is handed to who delivers it."""
