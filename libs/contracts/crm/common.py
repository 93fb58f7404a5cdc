"""What several parts of the CRM share."""

from typing import Annotated

from msgspec import Meta

from libs.contracts.admin import Limit, Offset, Text
from libs.contracts.codec import Message
from libs.contracts.pattern import END

Email = Annotated[str, Meta(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}" + END)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class ListQuery(Message, frozen=True, kw_only=True, rename="camel"):
    search: Text = ""
    limit: Limit = 50
    offset: Offset = 0
