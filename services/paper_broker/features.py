"""Switches that clients ask for before they use something (quadcode-protocol §6)."""

FEATURES = (
    "client-sdk",
    "blitz-instrument",
    "turbo-instrument",
    "binary-instrument",
    "digital-instrument",
    "margin-forex-instrument",
    "margin-cfd-instrument",
    "margin-crypto-instrument",
)


class Features:
    def __init__(self, disabled: frozenset[str]) -> None:
        self._disabled = disabled

    def listed(self, category: str) -> list[dict[str, object]]:
        """Of any category the same: clients look only at names, and only for `disabled`."""
        return [
            {
                "id": number,
                "name": name,
                "category": category,
                "version": "1.0",
                "status": "disabled" if name in self._disabled else "enabled",
                "params": {},
            }
            for number, name in enumerate(FEATURES, 1)
        ]
