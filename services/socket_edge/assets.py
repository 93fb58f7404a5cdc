"""Assets by what clients call them."""

import re
from collections.abc import Callable
from typing import get_args

from libs.contracts.market import Active, Catalogue
from services.socket_edge.errors import asset_not_found, unavailable
from services.socket_edge.requests import Category

CATEGORIES: tuple[str, ...] = get_args(Category)
_PUNCTUATION = re.compile(r"[\s/&()_-]+")


class Assets:
    """The catalogue as it is now."""

    def __init__(self, catalogue: Callable[[], Catalogue | None]) -> None:
        self._catalogue = catalogue
        self._indexed: Catalogue | None = None
        self._index: dict[str, Active] = {}

    @property
    def known(self) -> bool:
        return self._catalogue() is not None

    def all(self) -> tuple[Active, ...]:
        """Raises ApiError 503 while no catalogue was ever received."""
        catalogue = self._catalogue()
        if catalogue is None:
            raise unavailable()
        return catalogue.actives

    def by_id(self, active_id: int) -> Active:
        """Raises ApiError 404."""
        for active in self.all():
            if active.id == active_id:
                return active
        raise asset_not_found(str(active_id), "activeId")

    def find(self, text: str) -> Active:
        """By key, else by display name, else by either without case and punctuation. Never by a part: a stake must not
        land on an asset that merely resembles. Raises ApiError 404."""
        active = self._names().get(text) or self._names().get(_normalised(text))
        if active is None:
            raise asset_not_found(text)
        return active

    def _names(self) -> dict[str, Active]:
        actives = self.all()
        if self._indexed is not self._catalogue():
            self._indexed = self._catalogue()
            self._index = _index(actives)
        return self._index


def _index(actives: tuple[Active, ...]) -> dict[str, Active]:
    """Weaker names first, so that stronger ones overwrite them; of equals the first active wins."""
    index: dict[str, Active] = {}
    names: tuple[Callable[[Active], str], ...] = (
        lambda active: _normalised(active.name),
        lambda active: _normalised(active.ticker),
        lambda active: active.name,
        lambda active: active.ticker,
    )
    for name in names:
        index |= {name(active): active for active in reversed(actives)}
    return index


def _normalised(text: str) -> str:
    return _PUNCTUATION.sub("", text).casefold()
