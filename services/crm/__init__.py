"""Contacts and what is sent to them; so far, how many there are."""
