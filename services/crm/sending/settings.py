"""How mails are sent."""

from libs.service import ServiceSettings


class SendingSettings(ServiceSettings):
    mail_sender_name: str = "Pregão"
    """Who mails are from…"""
    mail_sender_address: str = "news@localhost"
    """…by which address…"""
    mail_sender_place: str = ""
    """…and where that is, as laws on advertising want it: `{{sender.address}}`."""

    @property
    def sender(self) -> dict[str, str]:
        """What templates may say of it."""
        return {"name": self.mail_sender_name, "email": self.mail_sender_address, "address": self.mail_sender_place}
