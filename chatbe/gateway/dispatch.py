"""From a frame to a command, and from a command to its handler, by explicit tables."""

import re

import msgspec

from chatbe.gateway.handshake import Hello, Ping, Sync
from chatbot.handlers import COMMANDS as BOT_COMMANDS
from common.errors import BadFrame, ChatError, InvalidInput, UnknownCommand
from conversations.handlers import COMMANDS as CONVERSATION_COMMANDS
from realtime.protocol import Command, Handler, decode_id

# Commands of the apps. Each is answered by exactly one reply, range or error.
COMMANDS: dict[type[Command], Handler] = {**CONVERSATION_COMMANDS, **BOT_COMMANDS}

COMMAND_TYPES: tuple[type[Command], ...] = (Hello, Sync, Ping, *COMMANDS)

_KNOWN = {str(kind.__struct_config__.tag) for kind in COMMAND_TYPES}
_PLACE = re.compile(r"^(?P<problem>.*) - at `\$\.?(?P<field>[^`]*)`$")


def _union(kinds: tuple[type[Command], ...]) -> object:
    union: object = kinds[0]
    for kind in kinds[1:]:
        union = union | kind
    return union


_decode = msgspec.json.Decoder(_union(COMMAND_TYPES), dec_hook=decode_id).decode


class _Outline(msgspec.Struct):
    """What can be said of a frame that is not a valid command."""

    type: msgspec.Raw = msgspec.Raw()
    ref: msgspec.Raw = msgspec.Raw()


_outline = msgspec.json.Decoder(_Outline).decode


class Refused(Exception):
    """A frame that is no command: what to answer, and to which `ref`."""

    def __init__(self, error: ChatError, ref: str | None) -> None:
        super().__init__(error.code)
        self.error = error
        self.ref = ref


def decode_command(text: str | bytes) -> Command:
    """Read a frame. Raises Refused."""
    try:
        command: Command = _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise _refusal(text, error) from error
    return command


def _refusal(text: str | bytes, error: Exception) -> Refused:
    try:
        outline = _outline(text)
        kind, ref = _string(outline.type), _string(outline.ref)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return Refused(BadFrame(), None)
    if ref is not None and len(ref) > 64:
        ref = None
    if kind not in _KNOWN:
        return Refused(UnknownCommand(), ref)
    found = _PLACE.match(str(error))
    if found and found["field"]:
        return Refused(InvalidInput(fields={found["field"]: found["problem"]}), ref)
    return Refused(InvalidInput(str(error)), ref)


def _string(raw: msgspec.Raw) -> str | None:
    if not bytes(raw).startswith(b'"'):
        return None
    return str(msgspec.json.decode(raw, type=str))
