"""Runs the users' bots."""
