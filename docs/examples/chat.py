"""Chat with a contact in the terminal: chat.py NAME PASSWORD CONTACT"""

import json
import sys
import threading
import uuid
from typing import Any

import requests
from websockets.sync.client import connect

HOST = "127.0.0.1:8000"
name, password, contact = sys.argv[1:]
rest = requests.Session()


def call(method: str, path: str, **body: str) -> Any:
    return rest.request(method, f"http://{HOST}/api/v1/{path}", json=body, timeout=10).json()


def send_lines() -> None:
    for line in sys.stdin:
        frame = {"type": "message.send", "client_id": uuid.uuid4().hex, "text": line.rstrip()}
        socket.send(json.dumps(frame | {"conversation_id": conversation["id"]}))


token = call("POST", "auth/login", login=name, password=password)["access_token"]
rest.headers["Authorization"] = f"Bearer {token}"
people = {row["user"]["username"]: row["user"]["id"] for row in call("GET", "contacts")["results"]}
conversation = call("POST", "conversations/direct", user_id=people[contact])
with connect(f"ws://{HOST}/ws/v1/") as socket:
    socket.send(json.dumps({"type": "hello", "ticket": call("POST", "auth/ticket")["ticket"]}))
    socket.send(json.dumps({"type": "sync", "cursors": {}, "done": True}))
    threading.Thread(target=send_lines, daemon=True).start()
    for data in socket:
        frame = json.loads(data)
        for event in frame.get("frames", [frame]):
            if event["type"] == "message.created":
                said = event["message"]
                author = contact if said["sender_id"] == people[contact] else name
                print(f"#{said['seq']} {author}: {said['text']}", flush=True)
