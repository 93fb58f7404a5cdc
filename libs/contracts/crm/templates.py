"""What is written: a template has versions, and what is sent keeps to the one it took.

The editor (Unlayer) gives `design` and `html` together; `mjml` is another source of `html`. Tags such as
`{{contact.first_name | default:"you"}}` are what `MERGE_TAGS` tells.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from libs.contracts.admin import Rows
from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Email, Gone, ListQuery, Name, Of, OfBy
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode
from libs.contracts.rpc import Nothing as Empty

Policy = Literal["lenient", "strict"]
"""What becomes of a tag that has no value and no default: nothing is written, or the mail is not sent."""
Category = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]
Line = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00\r\n]*" + END)]
Html = Annotated[str, Meta(max_length=500_000, pattern=r"^[^\x00]*$")]
PlainText = Annotated[str, Meta(max_length=200_000, pattern=r"^[^\x00]*$")]
Design = dict[str, Any]
Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class Problem(Message, frozen=True, kw_only=True):
    code: str
    severity: Literal["error", "warning"]
    """With an error a template is a draft, which is not sent."""
    message: str


class Template(Message, frozen=True, kw_only=True):
    id: UUID
    name: str
    category: str
    variables: tuple[str, ...]
    """Tags it has, such as `contact.first_name`."""
    created_at: datetime
    updated_at: datetime
    version_id: UUID
    """What campaigns and workflows take."""
    version: int
    subject: str
    ready: bool
    """Whether it can be sent."""


class WholeTemplate(Template, frozen=True, kw_only=True):
    preheader: str
    design: Design | None
    mjml: str | None
    html: str | None
    """As it was cleaned."""
    text: str
    policy: Policy
    problems: tuple[Problem, ...]


class TemplateVersion(Message, frozen=True, kw_only=True):
    id: UUID
    number: int
    subject: str
    ready: bool
    created_by: str
    created_at: datetime


class TemplatesQuery(ListQuery, frozen=True, kw_only=True, rename="camel"):
    category: Category = ""


class NewTemplate(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name
    category: Category = ""
    subject: Line = ""
    preheader: Line = ""
    design: Design | None = None
    html: Html | None = None
    mjml: Html | None = None
    """If there is no `html`, that is made of it."""
    text: PlainText = ""
    """Of the plain-text part; if empty, it is made of `html`."""
    policy: Policy = "lenient"

    def __post_init__(self) -> None:
        _check_design(self.design)


class TemplateChange(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays; `html` and `design` are one, and so are `html` and `mjml`: one alone is without the
    other."""

    version: Number | None = None
    """That was seen; if there is another one meanwhile, nothing is changed."""
    name: Name | UnsetType = UNSET
    category: Category | UnsetType = UNSET
    subject: Line | UnsetType = UNSET
    preheader: Line | UnsetType = UNSET
    design: Design | UnsetType | None = UNSET
    html: Html | UnsetType | None = UNSET
    mjml: Html | UnsetType | None = UNSET
    text: PlainText | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_design(self.design)


class CreateTemplate(By, frozen=True, kw_only=True):
    template: NewTemplate


class ChangeTemplate(OfBy, frozen=True, kw_only=True):
    change: TemplateChange


class RenderWanted(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    contact: UUID | None = None
    """As whom; by default somebody made up."""
    data: dict[str, Any] = field(default_factory=dict)
    """What else would be queued with the mail: `data.*` and, as `links` and `campaign` in it, those."""


class RenderTemplate(OfBy, frozen=True, kw_only=True):
    wanted: RenderWanted


class TrialWanted(RenderWanted, frozen=True, kw_only=True, forbid_unknown_fields=True):
    to: Email
    """An administrator's own address, that was confirmed."""


class TryTemplate(OfBy, frozen=True, kw_only=True):
    wanted: TrialWanted


class TrialSent(Message, frozen=True, kw_only=True):
    to: str
    version: int


class Rendered(Message, frozen=True, kw_only=True):
    """To be shown in a sandboxed frame of another origin, and nowhere else."""

    subject: str
    html: str
    text: str
    version: int
    problems: tuple[Problem, ...]


class MergeTag(Message, frozen=True, kw_only=True):
    """As Unlayer takes them."""

    name: str
    value: str
    sample: str


_NOT_FOUND, _CONFLICT = ErrorCode.NOT_FOUND, ErrorCode.CONFLICT

TEMPLATES = Endpoint("crm", "templates", TemplatesQuery, Rows[Template])
TEMPLATE = Endpoint("crm", "template", Of, WholeTemplate, (_NOT_FOUND,))
VERSIONS = Endpoint("crm", "template_versions", Of, Rows[TemplateVersion], (_NOT_FOUND,))
"""The newest hundred."""
CREATE_TEMPLATE = Endpoint("crm", "create_template", CreateTemplate, WholeTemplate, timeout=10.0)
CHANGE_TEMPLATE = Endpoint(
    "crm", "change_template", ChangeTemplate, WholeTemplate, (_NOT_FOUND, _CONFLICT), timeout=10.0
)
DROP_TEMPLATE = Endpoint("crm", "drop_template", OfBy, Gone, (_NOT_FOUND, _CONFLICT))
COPY_TEMPLATE = Endpoint("crm", "copy_template", OfBy, WholeTemplate, (_NOT_FOUND,))
RENDER_TEMPLATE = Endpoint("crm", "render_template", RenderTemplate, Rendered, (_NOT_FOUND,), timeout=10.0)
TRY_TEMPLATE = Endpoint("crm", "try_template", TryTemplate, TrialSent, (_NOT_FOUND, _CONFLICT), timeout=30.0)
"""CONFLICT: no mail server is configured, or it does not take the mail."""
MERGE_TAGS = Endpoint("crm", "merge_tags", Empty, Rows[MergeTag])


def _check_design(design: object) -> None:
    """All that is asked of it: editors of every version wrote them, and they are kept as they came."""
    if isinstance(design, dict):
        body = design.get("body")
        if not isinstance(body, dict) or not isinstance(body.get("rows"), list):
            raise ValueError("Expected an Unlayer design with `body.rows` in `design`")
