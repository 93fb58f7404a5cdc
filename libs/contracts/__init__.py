"""What travels: messages, subjects and RPC endpoints. No I/O, and nothing of ours is imported here."""
