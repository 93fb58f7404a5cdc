"""Campaigns, and what lets them go on."""
