"""What clients show for keys (quadcode-protocol §5): names of actives and rooms, texts of the file of accounts."""

from collections.abc import Iterable, Mapping

from services.paper_broker.catalogue import Catalogue
from services.paper_broker.chats import ROOMS

GROUPS = ("front", "assets", "desktop")


class Translations:
    def __init__(self, catalogue: Catalogue, added: Mapping[str, Mapping[str, str]]) -> None:
        """`added`: by language, with the group in front of each key; they win over what is built in."""
        self._added = added
        self._names: dict[str, str] = {}
        for active in catalogue:
            self._names[active.ticker] = active.name
            self._names[f"{active.ticker}-description"] = active.name
        for room in ROOMS.values():
            self._names[room.name_loc.removeprefix("front.")] = room.name

    def texts(self, language: str, groups: Iterable[str]) -> dict[str, str]:
        """Of those groups, each key with its group in front; the built-in ones are the same in every language."""
        asked = tuple(f"{group}." for group in groups)
        names = {prefix + key: name for prefix in asked if prefix[:-1] in GROUPS for key, name in self._names.items()}
        added = self._added.get(language, {})
        return names | {key: text for key, text in added.items() if key.startswith(asked)}
