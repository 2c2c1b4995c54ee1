"""The frames of /v1/ws, both ways.

Whatever a frame says, it carries all five objects, the others empty: clients read them
into one type. What a client sends may hold more than is read here.
"""

from __future__ import annotations

import msgspec

from chatbe.legacy_v1.names import Name, uuid_text
from common.errors import BadFrame, InvalidInput, UnknownCommand

PRIVATE, PRIVATE_BOT = "private_chat", "chatBot_private"
GROUP, GROUP_BOT = "group_chat", "group_chatbot"
TYPES = frozenset({PRIVATE, PRIVATE_BOT, GROUP, GROUP_BOT})
FRIENDS, FANOUT = "friends_online_status", "online_status_fanout"

NO_ID = uuid_text(0)
NO_TIME = "0001-01-01T00:00:00Z"


# --- to a client ------------------------------------------------------------------------


class PrivateChat(msgspec.Struct, frozen=True):
    message_id: int = 0
    sender_username: str = ""
    # As JSON where it is put in later.
    recipient_username: str | msgspec.Raw = ""
    message: str = ""
    created_at: str = NO_TIME


class GroupChat(PrivateChat, frozen=True):
    group_name: str = ""


class OnlineStatus(msgspec.Struct, frozen=True):
    """That a friend came or went, told to one user."""

    friend_id: str = NO_ID
    friend_username: str = ""
    friend_email: str = ""
    online: bool = False
    user_to_get_notified: str = ""


class Friend(msgspec.Struct, frozen=True):
    friend_id: str
    friend_username: str
    friend_email: str
    online: bool


class FriendsOnline(msgspec.Struct, frozen=True):
    total_online: int = 0
    total_friends: int = 0
    friends: tuple[Friend, ...] = ()


class LegacyV1Frame(msgspec.Struct, frozen=True):
    """All of it. A chat may be put in as JSON, or later."""

    type: str
    private_chat: PrivateChat | msgspec.Raw = PrivateChat()
    msg_online_status_fanout: OnlineStatus = OnlineStatus()
    msg_friends_online_status: FriendsOnline = FriendsOnline()
    group_chat: GroupChat | msgspec.Raw = GroupChat()
    group_chat_bot: GroupChat | msgspec.Raw = GroupChat()


encode_old = msgspec.json.Encoder().encode


def refusal_frame(kind: str, words: str, *, username: str) -> LegacyV1Frame:
    """What a client is answered whose frame was refused; with its type, if there is such a type."""
    if kind == GROUP:
        return LegacyV1Frame(kind, group_chat=GroupChat(recipient_username=username, message=words))
    if kind == GROUP_BOT:
        return LegacyV1Frame(
            kind, group_chat_bot=GroupChat(recipient_username=username, message=words)
        )
    known = kind if kind in TYPES else "error"
    return LegacyV1Frame(
        known, private_chat=PrivateChat(recipient_username=username, message=words)
    )


# --- from a client ----------------------------------------------------------------------


class PrivateText(msgspec.Struct, frozen=True):
    """Who sends it the socket knows better than the frame."""

    message: str
    recipient_username: Name = ""


class GroupText(msgspec.Struct, frozen=True):
    group_name: Name
    message: str


class PrivateCommand(msgspec.Struct, frozen=True, tag=PRIVATE):
    private_chat: PrivateText


class PrivateBotCommand(msgspec.Struct, frozen=True, tag=PRIVATE_BOT):
    private_chat: PrivateText


class GroupCommand(msgspec.Struct, frozen=True, tag=GROUP):
    group_chat: GroupText


class GroupBotCommand(msgspec.Struct, frozen=True, tag=GROUP_BOT):
    group_chat_bot: GroupText


OldCommand = PrivateCommand | PrivateBotCommand | GroupCommand | GroupBotCommand

COMMAND_TYPES: tuple[type[OldCommand], ...] = (
    *(PrivateCommand, PrivateBotCommand),
    *(GroupCommand, GroupBotCommand),
)

_decode = msgspec.json.Decoder(OldCommand).decode


class _Outline(msgspec.Struct):
    type: str


_outline = msgspec.json.Decoder(_Outline).decode


def decode_old(text: str | bytes) -> OldCommand:
    """Read a client's frame. Raises BadFrame, UnknownCommand or InvalidInput."""
    try:
        command: OldCommand = _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        kind = type_of(text)
        if kind in TYPES:
            raise InvalidInput(str(error)) from error
        raise (UnknownCommand() if kind else BadFrame()) from error
    return command


def type_of(text: str | bytes) -> str:
    """The type a client's frame says it has; empty if it says none."""
    try:
        return _outline(text).type
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return ""
