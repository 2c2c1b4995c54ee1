"""All the conversations of one client, kept up to date: what each log frame does.

Frames are handled at once and in order; what has to be asked for (a range, a page of
history) is asked for in tasks beside, at most one per conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from tests.kit.account import Account, RefusedError, UnreachableError
from tests.kit.event_log import Journal, Message
from tests.kit.frames import Frame
from tests.kit.log_copy import LogCopy

PAGE = 100


class Logs:
    """The copies by conversation id. `ask` sends a command and returns its answer."""

    def __init__(
        self,
        account: Account,
        addresses: Sequence[str],
        journal: Journal,
        ask: Callable[[Frame], Awaitable[Frame]],
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self.copies: dict[str, LogCopy] = {}
        self._account = account
        self._addresses = addresses
        self._journal = journal
        self._ask = ask
        self._spawn = spawn
        self._fetching: set[str] = set()
        self.handlers: dict[str, Callable[[Frame], None]] = {
            "range": self._on_range,
            "message.created": self._on_message,
            "message.changed": self._on_message,
            "skip": self._on_skip,
            "conversation.added": self._on_added,
            "conversation.removed": self._on_removed,
            "conversation.behind": self._on_behind,
            "reset": self._on_reset,
            "pong": self._on_pong,
        }

    def cursors(self) -> list[tuple[str, int]]:
        """What to say in `sync`; a copy that is being read anew has no cursor."""
        return [(key, copy.cursor) for key, copy in self.copies.items() if not copy.is_loading]

    def note(self, *messages: Message | None) -> None:
        """Write down that these rows were shown to us, whatever becomes of them here."""
        for message in messages:
            if message is not None:
                place = (message["seq"], message["changed_seq"])
                self._journal.shown[message["conversation_id"]].add(place)

    # --- frames

    def _on_range(self, frame: Frame) -> None:
        self.note(*frame["changes"])
        copy = self._copy(frame["conversation_id"], frame["head"])
        if copy is not None:
            copy.take_range(frame["after"], frame["to"], frame["head"], frame["changes"])
            self._catch_up(copy)

    def _on_message(self, frame: Frame) -> None:
        message = frame["message"]
        self.note(message)
        copy = self._copy(message["conversation_id"])
        if copy is not None:
            copy.take_event(message["changed_seq"], message)
            self._catch_up(copy)

    def _on_skip(self, frame: Frame) -> None:
        copy = self._copy(frame["conversation_id"], frame["seq"])
        if copy is not None:
            copy.take_event(frame["seq"], None)
            self._catch_up(copy)

    def _on_added(self, frame: Frame) -> None:
        conversation_id = frame["conversation"]["id"]
        self.note(frame["conversation"]["last_message"])
        copy = self._copy(conversation_id, frame["head"])
        if copy is None:
            copy = LogCopy(conversation_id, frame["cursor"], self._journal)
            self.copies[conversation_id] = copy
            if frame["cursor"] > 0:
                # What lies before the cursor is history; this client keeps that, too.
                self._reload(copy)
        copy.hear_of(frame["head"])
        self._catch_up(copy)

    def _on_removed(self, frame: Frame) -> None:
        self._journal.counts["removed"] += 1
        self._forget(frame["conversation_id"])

    def _on_behind(self, frame: Frame) -> None:
        self._journal.counts["behind"] += 1
        copy = self._copy(frame["conversation_id"], frame["head"])
        if copy is not None:
            copy.hear_of(frame["head"])
            self._reload(copy)

    def _on_reset(self, frame: Frame) -> None:
        self._journal.counts["reset"] += 1
        named = frame.get("conversation_id")
        for copy in list(self.copies.values()):
            if named in {None, copy.conversation_id}:
                copy.head = 0
                self._reload(copy)

    def _on_pong(self, frame: Frame) -> None:
        for conversation_id, head in frame["heads"].items():
            copy = self._copy(conversation_id, head)
            if copy is not None:
                copy.hear_of(head)
                self._catch_up(copy)

    def _copy(self, conversation_id: str, head: int = 0) -> LogCopy | None:
        """Ours of what the server speaks of, if we have one; it may have named a head."""
        self._journal.heard_of.add(conversation_id)
        if head:
            self._journal.shown[conversation_id].add((head, head))
        return self.copies.get(conversation_id)

    # --- catching up

    def _catch_up(self, copy: LogCopy) -> None:
        if copy.is_behind and copy.conversation_id not in self._fetching:
            self._fetching.add(copy.conversation_id)
            self._spawn(self._fetch(copy))

    async def _fetch(self, copy: LogCopy) -> None:
        """Ask for what is missing; the ranges themselves are applied as they arrive."""
        try:
            while copy.is_behind and copy is self.copies.get(copy.conversation_id):
                self._journal.counts["fetches"] += 1
                cursor = copy.cursor
                answer = await self._ask(
                    {
                        "type": "conversation.fetch",
                        "conversation_id": copy.conversation_id,
                        "after": cursor,
                    }
                )
                if answer["type"] == "error" and not answer["retry"]:
                    self._journal.counts[f"fetch refused: {answer['code']}"] += 1
                    return
                if copy.cursor == cursor:
                    await asyncio.sleep(answer.get("retry_after") or 0.1)
        except ConnectionError:
            # The next connection's sync says where we are.
            return
        finally:
            self._fetching.discard(copy.conversation_id)

    def _reload(self, copy: LogCopy) -> None:
        if not copy.is_loading:
            copy.begin_loading()
            self._spawn(self._load(copy))

    async def _load(self, copy: LogCopy) -> None:
        """Read the whole conversation by REST, the newest page first: that one sets the cursor."""
        for attempt in itertools.count():
            address = self._addresses[attempt % len(self._addresses)]
            with contextlib.suppress(UnreachableError):
                try:
                    head, messages = await self._read_pages(address, copy.conversation_id)
                except RefusedError as error:
                    if error.status != 404:
                        raise
                    # We are not in it any more, as we are about to be told.
                    head, messages = 0, []
                if copy is not self.copies.get(copy.conversation_id):
                    return
                if not head:
                    await asyncio.sleep(0.1)
                    continue
                self._journal.counts["loads"] += 1
                copy.load(head, messages)
                self._catch_up(copy)
                return
            await asyncio.sleep(random.uniform(0.1, 0.3))

    async def _read_pages(self, address: str, conversation_id: str) -> tuple[int, list[Message]]:
        path = f"conversations/{conversation_id}/messages?limit={PAGE}"
        page = await self._account.call(address, "GET", path)
        head, messages = page["head"], page["results"]
        self._journal.shown[conversation_id].add((head, head))
        while page["results"] and page["results"][0]["seq"] > 1:
            before = page["results"][0]["seq"]
            page = await self._account.call(address, "GET", f"{path}&before={before}")
            messages = page["results"] + messages
        self.note(*messages)
        return head, messages

    def _forget(self, conversation_id: str) -> None:
        self.copies.pop(conversation_id, None)
        self._journal.cursors.pop(conversation_id, None)
