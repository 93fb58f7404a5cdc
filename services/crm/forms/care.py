"""Reminds of what was not confirmed yet, and lets go what never was."""

import asyncio
from collections.abc import Callable

import structlog

from libs.store import StoreError
from libs.store.crm.forms import Forms

log = structlog.get_logger()

_EVERY = 60.0
_MOST = 200
_REMINDED_EVERY = 2 * 86400.0
"""Seconds between two mails that ask for confirmation."""


class FormCare:
    """Any number of processes may run it: a row is one's at a time."""

    def __init__(self, forms: Forms, told: Callable[[], None]) -> None:
        """`told()`: there is something to publish."""
        self._forms = forms
        self._told = told

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                while done := await self._forms.tend(_MOST, _REMINDED_EVERY):
                    self._told()
                    if done < _MOST:
                        break
            except StoreError as error:
                log.warning("forms_wait", error=str(error))
            await asyncio.sleep(_EVERY)
