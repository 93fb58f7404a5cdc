"""What recipients do with what they were sent, and what becomes of it on its way."""
