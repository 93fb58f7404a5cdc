"""Contacts, whom they are together with, what happens to them by itself, and what is sent to them."""
