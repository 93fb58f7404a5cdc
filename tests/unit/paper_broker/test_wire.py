import pytest
from websockets.frames import Frame, Opcode

from services.paper_broker.wire import text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_a_text_frame_is_what_a_websocket_library_writes(length: int) -> None:
    message = b"x" * length
    assert text_frame(message) == Frame(Opcode.TEXT, message).serialize(mask=False, extensions=[])


def test_all_connections_get_the_same_bytes() -> None:
    message = b'{"name":"candle-generated"}'
    assert text_frame(message) is text_frame(message)
