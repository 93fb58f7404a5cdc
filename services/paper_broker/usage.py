"""The text of `--help`, made of the settings themselves."""

from pydantic.fields import FieldInfo

from libs.service import ProcessSettings
from libs.service.settings import PREFIX


def usage(module: str, purpose: str, settings_type: type[ProcessSettings]) -> str:
    lines = [f"usage: python -m {module}", "", purpose, "", "Settings (environment variables):", ""]
    for name, field in settings_type.model_fields.items():
        lines.append(f"  {PREFIX}{name.upper()} {_default(field)}")
        if field.description:
            lines.append(f"      {' '.join(field.description.split())}")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "(required)"
    if field.default_factory is not None or field.default in ("", None):
        return ""
    return f"[{field.default}]"
