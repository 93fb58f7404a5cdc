"""RPC endpoints of the CRM, answered by crm."""

from libs.contracts import crm
from libs.contracts.admin import Rows
from libs.contracts.rpc import Endpoint, ErrorCode, Nothing

CONTACTS = Endpoint("crm", "contacts", crm.ContactsQuery, Rows[crm.Contact])
CREATE_CONTACT = Endpoint("crm", "create_contact", crm.CreateContact, crm.Contact, (ErrorCode.CONFLICT,))
SEGMENTS = Endpoint("crm", "segments", crm.ListQuery, Rows[crm.Segment])
WORKFLOWS = Endpoint("crm", "workflows", crm.ListQuery, Rows[crm.Workflow])
CAMPAIGNS = Endpoint("crm", "campaigns", crm.ListQuery, Rows[crm.Campaign])
TEMPLATES = Endpoint("crm", "templates", crm.ListQuery, Rows[crm.Template])
INTEGRATIONS = Endpoint("crm", "integrations", Nothing, Rows[crm.Integration])
INTEGRATION = Endpoint("crm", "integration", crm.OfIntegration, crm.Integration, (ErrorCode.NOT_FOUND,))
CONFIGURE = Endpoint("crm", "configure", crm.Configure, crm.Integration, (ErrorCode.NOT_FOUND,))
TEST = Endpoint("crm", "test", crm.OfIntegration, crm.Tested, (ErrorCode.NOT_FOUND,), timeout=15.0)
