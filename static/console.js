// The page: forms go to the chat, and what the chat knows goes onto the page.

import { Chat } from "./console/chat.js";
import { Frames } from "./console/frames.js";
import { Rest } from "./console/rest.js";
import { socketAddress } from "./console/socket.js";
import { byId, Kept, make, show, showAtEnd, timeOf, withLinks } from "./console/view.js";

const STATES = {
  offline: "Disconnected",
  connecting: "Connecting …",
  waiting: "Connection lost, trying again …",
  live: "Live",
};

const rest = new Rest();
const rows = new Kept();
let chat = null;
let drawing = false;

const frames = new Frames(
  (text) => chat?.socket.sendText(text) ?? false,
  () => chat?.openId,
  problem,
);

// --- showing ----------------------------------------------------------------------------

function problem(text) {
  const place = byId("problem");
  place.textContent = text;
  place.hidden = !text;
}

// Many changes in one moment are drawn once.
function changed() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  byId("entrance").hidden = Boolean(chat);
  byId("console").hidden = !chat;
  if (!chat) return;
  byId("whoami").textContent = chat.user.username;
  byId("state").textContent = [STATES[chat.state], chat.detail].filter(Boolean).join(" – ");
  byId("state").dataset.state = chat.state;
  byId("connection").textContent = chat.state === "offline" ? "Connect" : "Disconnect";
  drawPeople();
  drawThread();
}

function drawPeople() {
  const newest = (one) => Date.parse(one.last_message?.created_at ?? 0);
  const conversations = [...chat.conversations.values()].sort((a, b) => newest(b) - newest(a));
  show(
    byId("conversations"),
    conversations.map((one) => {
      const row = rows.get(`conversation ${one.id}`, () => button(() => chat.open(one.id)));
      const name = one.peer?.username ?? `conversation ${one.id}`;
      const unread = one.unread > 0 ? [make("b", { textContent: one.unread, title: "unread" })] : [];
      const last = make("small", { textContent: one.last_message?.text.slice(0, 80) ?? "" });
      row.firstChild.replaceChildren(make("bdi", { textContent: name }), " ", ...unread, last);
      if (one.id === chat.openId) row.firstChild.setAttribute("aria-current", "true");
      else row.firstChild.removeAttribute("aria-current");
      return row;
    }),
  );
  const requests = chat.requests.map(({ user }) =>
    rows.get(`request ${user.id}`, () => {
      const row = button(() => chat.accept(user.id));
      row.firstChild.append("Accept ", make("bdi", { textContent: user.username }));
      return row;
    }),
  );
  const contacts = chat.contacts.map(({ user }) =>
    rows.get(`contact ${user.id}`, () => {
      const row = button(() => chat.openDirect(user.id));
      row.firstChild.append(make("bdi", { textContent: user.username }));
      return row;
    }),
  );
  show(byId("contacts"), [...requests, ...contacts]);
}

function button(act) {
  const inner = make("button", { type: "button" });
  inner.addEventListener("click", () => attempt(act));
  return make("li", {}, inner);
}

function drawThread() {
  const conversation = chat.conversations.get(chat.openId);
  const log = chat.logs.get(chat.openId);
  const { text } = byId("composer").elements;
  const mayWrite = Boolean(conversation?.may_send);
  text.disabled = byId("composer").querySelector("button").disabled = !mayWrite;
  byId("older").hidden = !conversation || !log || !log.loaded || log.complete;
  byId("thread-title").textContent = conversation
    ? (conversation.peer?.username ?? `Conversation ${conversation.id}`)
    : "No conversation open";
  if (!conversation || !log) {
    show(byId("messages"), []);
    byId("sign").textContent = "";
    return;
  }
  const stored = log.inOrder().map((message) => {
    const { id, changed_seq: version } = message;
    return rows.get(`message ${id} ${version}`, () => messageRow(message));
  });
  const waiting = chat.outbox.waiting(chat.openId).map((item) =>
    rows.get(`waiting ${item.clientId}`, () =>
      line("own waiting", "sending …", item.text),
    ),
  );
  showAtEnd(byId("messages"), [...stored, ...waiting]);
  byId("sign").textContent = chat.sign();
}

function messageRow(message) {
  const own = message.sender_id === chat.user.id ? "own" : "";
  const sender = make("bdi", { textContent: chat.nameOf(message.sender_id) });
  const place = `#${message.seq}, ${timeOf(message.created_at)}`;
  return line(own, make("span", {}, sender, ` ${place}`), message.text);
}

function line(className, head, text) {
  const body = make("p", { dir: "auto" }, ...withLinks(text));
  return make("li", { className }, make("small", {}, head), body);
}

// --- acting -----------------------------------------------------------------------------

async function attempt(act) {
  problem("");
  try {
    await act();
  } catch (error) {
    problem(error.message);
  }
  changed();
}

function onSubmit(id, act) {
  const form = byId(id);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(form));
    attempt(async () => {
      await act(fields);
      form.reset();
    });
  });
}

function enter() {
  // After logging out nobody wants to hear of what was still on its way.
  const ifHere = (act) => (...told) => entered === chat && act(...told);
  const entered = new Chat(rest, {
    changed,
    problem: ifHere(problem),
    trace: ifHere((direction, text) => frames.add(direction, text)),
    ended: ifHere(ended),
  });
  chat = entered;
  chat.socket.start();
  changed();
}

function leave() {
  chat?.socket.stop();
  chat = null;
  rows.forget();
  frames.clear();
  for (const id of ["conversations", "contacts", "messages"]) show(byId(id), []);
  changed();
}

function ended(text) {
  rest.forget();
  leave();
  problem(text);
}

onSubmit("login", async ({ login, password }) => {
  await rest.login(login, password);
  enter();
});

onSubmit("register", async ({ username, email, password }) => {
  await rest.register(username, email, password);
  await rest.login(username, password);
  enter();
});

onSubmit("add-contact", ({ username }) => chat.addContact(username));
onSubmit("composer", ({ text }) => chat.say(text));

byId("composer").elements.text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});

byId("composer").elements.text.addEventListener("input", () => chat.type());

byId("older").addEventListener("click", () => attempt(() => chat.loadOlder()));

byId("connection").addEventListener("click", () => {
  problem("");
  if (chat.state === "offline") chat.socket.start();
  else chat.socket.stop();
});

byId("logout").addEventListener("click", () =>
  attempt(async () => {
    chat.socket.stop();
    try {
      await rest.logout();
    } finally {
      leave();
    }
  }),
);

document.addEventListener("visibilitychange", () => chat?.markRead());

byId("socket-address").textContent = socketAddress();
if (rest.user) enter();
else draw();
