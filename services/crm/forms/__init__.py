"""Forms, and who has confirmed what was sent with them."""
