"""What happens to contacts begins runs, and wakes those that wait for it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter

from libs.bus import Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import CRM
from libs.contracts.crm.events import CrmEvent
from libs.store import StoreRefused, StoreUnavailable
from libs.store.crm.runs import Entry, Interest, Runs, Trigger, Wake
from services.crm.workflows.engine import Programs
from services.crm.workflows.kinds import read_params
from services.crm.workflows.params import EventMatch, Params

log = structlog.get_logger()

CONSUMER = Consumer(CRM.name, "crm-workflows", batch=200, linger=0.02)

_began = Counter("pregao_crm_workflow_entries_total", "Runs that events began")
_woken = Counter("pregao_crm_workflow_woken_total", "Runs whose event came")


class Triggers:
    def __init__(self, runs: Runs, programs: Programs, due: Callable[[], None]) -> None:
        """`due()`: runs are due."""
        self._runs = runs
        self._programs = programs
        self._due = due

    async def follow(self, batch: list[Delivery]) -> None:
        """An event begins a workflow once, and wakes a run once, however often it comes."""
        events = [delivery.decode(CrmEvent) for delivery in batch]
        try:
            interest = await self._runs.interest({(event.contact_id, event.type) for event in events})
            entries = list(_entries(events, interest))
            wakes = [wake async for wake in self._wakes(events, interest)]
            began = len(await self._runs.enter(entries)) if entries else 0
            woken = await self._runs.wake(wakes) if wakes else 0
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error
        _began.inc(began)
        _woken.inc(woken)
        if began or woken:
            self._due()

    async def _wakes(self, events: list[CrmEvent], interest: Interest) -> Any:
        if not interest.waiting:
            return
        programs = await self._programs.of(waiting.version for waiting in interest.waiting)
        for waiting in interest.waiting:
            if waiting.version not in programs:
                continue
            _, told = programs[waiting.version].nodes[waiting.node]
            for event in events:
                same = event.contact_id == waiting.contact and event.type == waiting.type
                if same and isinstance(told, EventMatch) and told.matches(event.type, event.data):
                    yield Wake(waiting.run, waiting.node, event.at, event.data)
                    break


def _readable(triggers: Iterable[Trigger]) -> Iterator[tuple[Trigger, Params]]:
    """One that nobody can read any more does not keep the others from beginning."""
    for trigger in triggers:
        try:
            yield trigger, read_params("trigger", trigger.params)
        except msgspec.ValidationError as error:
            log.warning("trigger_unreadable", workflow=str(trigger.workflow), error=str(error))


def _entries(events: list[CrmEvent], interest: Interest) -> Iterator[Entry]:
    """One of a workflow for an event, by the first of its triggers that it matches."""
    triggers = list(_readable(interest.triggers))
    for event in events:
        begun: set[object] = set()
        for trigger, told in triggers:
            if (
                trigger.workflow not in begun
                and isinstance(told, EventMatch)
                and event.at >= trigger.since
                and told.matches(event.type, event.data)
            ):
                begun.add(trigger.workflow)
                yield Entry(
                    workflow=trigger.workflow, version=trigger.version, contact=event.contact_id, key=str(event.id),
                    node=trigger.node, event={**event.data, "type": event.type, "at": msgspec.to_builtins(event.at)},
                )  # fmt: skip
