"""Contacts from files, and as files."""
