"""Rows of Parquet files as text, the way CSV files have them. Needs pyarrow, which nothing else does."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


class Unreadable(Exception):
    """The file is no Parquet file, or pyarrow is not installed."""


def rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Those of `columns` that the file has. Raises Unreadable."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise Unreadable("Parquet files need the package pyarrow, which is not installed") from error
    try:
        with parquet.ParquetFile(path) as file:
            found = [name for name in columns if name in file.schema_arrow.names]
            table = file.read(columns=found)
    except (OSError, pyarrow.ArrowException) as error:
        raise Unreadable(str(error)) from error
    values = [_texts(table.column(name)) for name in found]
    return (dict(zip(found, row, strict=True)) for row in zip(*values, strict=True))


def _texts(column: Any) -> list[str]:
    """Numbers with the fewest digits that tell them apart in their own width, times in ISO format."""
    import pyarrow

    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us", column.type.tz), safe=False)
        return ["" if value is None else value.isoformat() for value in column.to_pylist()]
    if pyarrow.types.is_floating(column.type):
        return [str(value) for value in column.to_numpy()]
    return ["" if value is None else str(value) for value in column.to_pylist()]
