"""Alerts to where operators are: a webhook, e-mail. Each has a consumer of its own, so that none waits for another."""
