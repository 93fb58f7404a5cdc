"""What ends a process."""


class CannotStart(Exception):
    """Something outside is not as it must be; the text is one line for the operator and names the setting."""
