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
    answer = rest.request(method, f"http://{HOST}/api/v1/{path}", json=body or None, timeout=10)
    answer.raise_for_status()
    return answer.json()


token = call("POST", "auth/login", login=name, password=password)["access_token"]
rest.headers["Authorization"] = f"Bearer {token}"
people = {row["user"]["username"]: row["user"]["id"] for row in call("GET", "contacts")["results"]}
conversation = call("POST", "conversations/direct", user_id=people[contact])["id"]

with connect(f"ws://{HOST}/ws/v1/") as socket:

    def send(**frame: Any) -> None:
        socket.send(json.dumps(frame))

    def send_lines() -> None:
        for line in sys.stdin:
            place = {"conversation_id": conversation, "client_id": uuid.uuid4().hex}
            send(type="message.send", text=line.rstrip(), **place)

    send(type="hello", ticket=call("POST", "auth/ticket")["ticket"])
    send(type="sync", cursors={}, done=True)
    for data in socket:
        frame = json.loads(data)
        for event in frame.get("frames", [frame]):
            if event["type"] == "live":
                threading.Thread(target=send_lines, daemon=True).start()
            elif event["type"] == "message.created":
                message = event["message"]
                author = contact if message["sender_id"] == people[contact] else name
                print(f"#{message['seq']} {author}: {message['text']}", flush=True)
            elif event["type"] == "error":
                print(event, flush=True)
