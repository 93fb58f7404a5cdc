"""What a rule means, as plainly as it can be said: one contact, one condition after the other."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

Contact = Mapping[str, Any]
"""Values by field; None where there is none. `tags`, `segments`: sets; `activities`: times by type; `consents`."""


def picks(rule: Mapping[str, Any], contact: Contact, now: datetime) -> bool:
    match rule.get("op"):
        case "and":
            return all(picks(child, contact, now) for child in rule["children"])
        case "or":
            return any(picks(child, contact, now) for child in rule["children"])
        case "not":
            return not picks(rule["children"][0], contact, now)
    return _leaf(rule["field"], rule["cmp"], rule.get("value"), contact, now)


def _leaf(field: str, cmp: str, value: Any, contact: Contact, now: datetime) -> bool:
    if field in ("tags", "segments"):
        return _of_set(cmp, value, contact[field])
    if field.startswith("activity."):
        did = contact["activities"].get(field.removeprefix("activity."), [])
        return _of_times(cmp, value, did, now)
    if field.startswith("consent."):
        found = contact["consents"].get(field.removeprefix("consent."), "none")
        return bool(found == value) is (cmp == "eq")
    return _of_value(cmp, value, contact[field], now)


def _of_set(cmp: str, value: Any, owned: set[str]) -> bool:
    match cmp:
        case "contains":
            return value.strip().lower() in owned
        case "not_contains":
            return value.strip().lower() not in owned
        case "in":
            return bool({each.strip().lower() for each in value} & owned)
        case "not_in":
            return not {each.strip().lower() for each in value} & owned
        case "empty":
            return not owned
    return bool(owned)


def _of_times(cmp: str, value: Any, did: list[datetime], now: datetime) -> bool:
    if cmp in ("empty", "not_empty"):
        return bool(did) is (cmp == "not_empty")
    lately = any(at > now - timedelta(days=value) for at in did)
    return lately is (cmp == "within_days")


def _of_value(cmp: str, value: Any, found: Any, now: datetime) -> bool:
    if cmp in ("empty", "not_empty"):
        return (found is None or found == "") is (cmp == "empty")
    if isinstance(found, datetime) and isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif isinstance(found, datetime) and isinstance(value, list):
        value = [datetime.fromisoformat(each) for each in value]
    if isinstance(found, str):
        found = found.lower()
        value = [each.lower() for each in value] if isinstance(value, list) else value.lower()
    if found is None:
        return cmp in ("ne", "not_in", "not_contains")
    return _compare(cmp, value, found, now)


def _compare(cmp: str, value: Any, found: Any, now: datetime) -> bool:
    meanings: dict[str, Callable[[], Any]] = {
        "eq": lambda: found == value,
        "ne": lambda: found != value,
        "gt": lambda: found > value,
        "gte": lambda: found >= value,
        "lt": lambda: found < value,
        "lte": lambda: found <= value,
        "between": lambda: value[0] <= found <= value[1],
        "in": lambda: found in value,
        "not_in": lambda: found not in value,
        "contains": lambda: value in found,
        "not_contains": lambda: value not in found,
        "starts_with": lambda: found.startswith(value),
        "ends_with": lambda: found.endswith(value),
        "within_days": lambda: found > now - timedelta(days=value),
        "older_than_days": lambda: found <= now - timedelta(days=value),
    }
    return bool(meanings[cmp]())
