"""Strategies of users: files of a directory, and entry points of installed packages."""

import importlib.util
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import msgspec

from libs.strategies.probe import Unfit, told
from libs.strategies.strategy import Strategy

GROUP = "pregao.strategies"
"""Of entry points; each names a Strategy class, or a module with some."""


class Source(msgspec.Struct, frozen=True):
    """Where strategies come from. Naming it runs nothing of it."""

    text: str
    """The path of a file, or the name of an entry point."""
    is_file: bool


def sources(directory: Path | None) -> list[Source]:
    """Files that begin with an underscore are left alone."""
    files = sorted(directory.glob("[!_]*.py")) if directory is not None else []
    points = sorted(point.name for point in entry_points(group=GROUP))
    return [*(Source(str(file), is_file=True) for file in files), *(Source(name, is_file=False) for name in points)]


def load(source: Source) -> list[type[Strategy]]:
    """The strategies it defines. Runs it; raises Unfit."""
    try:
        found = _file(Path(source.text)) if source.is_file else _entry_point(source.text)
    except (Exception, SystemExit) as error:
        raise Unfit(f"it cannot be imported: {told(error)}") from error
    kinds = _strategies(found) if isinstance(found, ModuleType) else [_class(found)]
    if not kinds:
        raise Unfit("it defines no subclass of libs.strategies.strategy.Strategy that has a `name`")
    return kinds


def _class(found: object) -> type[Strategy]:
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        raise Unfit(f"{found!r} is not a subclass of libs.strategies.strategy.Strategy")
    return found


def _file(path: Path) -> ModuleType:
    name = f"pregao_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _entry_point(name: str) -> object:
    [point] = entry_points(group=GROUP, name=name)
    return point.load()


def _strategies(module: ModuleType) -> list[type[Strategy]]:
    """Defined in it, not imported by it; abstract ones, which have no name, are for it to share."""
    return [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, Strategy)
        and kind.__module__ == module.__name__
        and hasattr(kind, "name")
    ]
