"""Contacts: who they are, what happened to them, what they agreed to."""
