"""Services that send, set up by administrators while everything runs."""
