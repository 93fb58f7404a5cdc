"""With which `cmp` values of each type are compared: in the rules of segments, and in the conditions of workflows."""

from collections.abc import Mapping

COMPARISONS: Mapping[str, tuple[str, ...]] = {
    "text": (
        "eq", "ne", "contains", "not_contains", "starts_with", "ends_with", "in", "not_in", "empty", "not_empty",
    ),
    "number": ("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in", "empty", "not_empty"),
    "time": (
        "eq", "ne", "gt", "gte", "lt", "lte", "between", "within_days", "older_than_days", "empty", "not_empty",
    ),
    "boolean": ("eq", "ne", "empty", "not_empty"),
}  # fmt: skip
OF_TAGS = ("contains", "not_contains", "in", "not_in", "empty", "not_empty")
