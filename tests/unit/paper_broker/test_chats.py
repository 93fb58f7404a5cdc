import pytest

from services.paper_broker.chats import ROOMS, Saying
from services.paper_broker.errors import Refused
from tests.unit.paper_broker.world import START, Client, World

EVENT = "chat-message-public-generated"


def test_rooms_are_listed_with_all_fields(client: Client) -> None:
    reply = client.ask("sendMessage", {"name": "request-chat-room", "version": "1.0"})
    assert reply["msg"]["isSuccessful"] is True
    rooms = reply["msg"]["data"]
    assert {room["type"] for room in rooms} == {"global", "notification", "support"}
    assert rooms[0] == {
        "id": "global-en",
        "type": "global",
        "locale": "en",
        "subject": "",
        "name": "English chat",
        "name_loc": "front.chat-global-en",
        "icon": "",
        "icon_2x": "",
        "use_real_name": False,
        "is_public": True,
        "is_write": False,
        "is_regulated": None,
        "is_unread_messages": False,
        "last_read_message_id": "",
        "online_users": 1,
    }


def test_what_is_said_in_a_room_is_heard_there_and_nowhere_else(world: World, client: Client) -> None:
    elsewhere = world.client()
    client.subscribe(EVENT, "1.0", room_id="global-en")
    elsewhere.subscribe(EVENT, "1.0", room_id="support")
    said = world.broker.chats.say(Saying(room_id="global-en", text="Hello", sender="Ada", sender_id=7))
    (event,) = client.received(EVENT)
    assert event["microserviceName"] == "chat"
    assert event["msg"]["data"] == [
        {
            "id": said.id,
            "room_id": "global-en",
            "type": "text",
            "text": "Hello",
            "sender": "Ada",
            "sender_id": 7,
            "sender_flag": "",
            "sender_avatar_url": "",
            "is_sender_vip": False,
            "is_sender_professional": False,
            "is_sender_admin": False,
            "is_sender_system": False,
            "date": int(START.timestamp() * 1000),
            "removed": False,
            "author_only": False,
        }
    ]
    assert elsewhere.received(EVENT) == []


def test_a_message_names_the_one_before_in_its_room(world: World, client: Client) -> None:
    chats = world.broker.chats
    first = chats.say(Saying(room_id="global-en", text="first"))
    chats.say(Saying(room_id="support", text="elsewhere"))
    assert chats.say(Saying(room_id="global-en", text="second")).previous_id == first.id


def test_nothing_is_said_in_a_room_that_does_not_exist(world: World) -> None:
    with pytest.raises(Refused, match=f"room_id.*{next(iter(ROOMS))}"):
        world.broker.chats.say(Saying(room_id="cellar", text="Hello"))


def test_a_room_must_be_named_to_listen(client: Client) -> None:
    assert client.subscribe(EVENT, "1.0")["status"] == 4220
    client.subscribe(EVENT, "1.0", room_id="global-en")
    client.unsubscribe(EVENT, "1.0", room_id="global-en")
    assert not client.connection.topics
