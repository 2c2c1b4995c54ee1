// The page: it draws what the chat knows, and begins and ends the chat with the login.

import { onClick, onSubmit, problem } from "./console/attempt.js";
import { Chat } from "./console/chat.js";
import { Frames } from "./console/frames.js";
import { Join } from "./console/join.js";
import { NewGroup } from "./console/new_group.js";
import { Panel } from "./console/panel.js";
import { Report } from "./console/report.js";
import { Rest } from "./console/rest.js";
import { Sidebar } from "./console/sidebar.js";
import { socketAddress } from "./console/socket.js";
import { Thread } from "./console/thread.js";
import { byId } from "./console/view.js";

const STATES = {
  offline: "Disconnected",
  connecting: "Connecting …",
  waiting: "Connection lost, trying again …",
  live: "Live",
};

const rest = new Rest();
let drawing = false;

// What the parts of the page share. `chat` is null while nobody is logged in.
const page = { chat: null, changed, showPane, report: (what) => report.open(what) };

const sidebar = new Sidebar(page);
const thread = new Thread(page);
const panel = new Panel(page);
const newGroup = new NewGroup(page);
const join = new Join(page);
const report = new Report(page);
const frames = new Frames(
  (text) => page.chat?.socket.sendText(text) ?? false,
  () => page.chat?.openId,
  problem,
);

// --- showing ----------------------------------------------------------------------------

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
  const { chat } = page;
  byId("entrance").hidden = Boolean(chat);
  byId("console").hidden = !chat;
  document.body.classList.toggle("inside", Boolean(chat));
  if (!chat) return;
  byId("whoami").textContent = chat.user.username;
  byId("state").textContent = [STATES[chat.state], chat.detail].filter(Boolean).join(" – ");
  byId("state").dataset.state = chat.state;
  byId("connection").textContent = chat.state === "offline" ? "Connect" : "Disconnect";
  // What it reads comes with another change.
  chat.group.follow(chat.open).catch((error) => problem(error.message));
  for (const part of [sidebar, thread, panel, newGroup]) part.draw();
}

// On a phone there is room for one part of the page.
function showPane(name) {
  byId("console").dataset.pane = name;
  for (const tab of document.querySelectorAll("[data-pane-of]")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.paneOf === name));
  }
  // What was not there could not be scrolled.
  for (const id of ["messages", "frames"]) byId(id).scrollTop = byId(id).scrollHeight;
}

// --- coming and going -------------------------------------------------------------------

function enter() {
  // After logging out nobody wants to hear of what was still on its way.
  const ifHere = (act) => (...told) => entered === page.chat && act(...told);
  const entered = new Chat(rest, {
    changed,
    problem: ifHere(problem),
    trace: ifHere((direction, text) => frames.add(direction, text)),
    ended: ifHere(ended),
  });
  page.chat = entered;
  entered.socket.start();
  showPane("people");
  changed();
  join.look();
}

function leave() {
  page.chat?.socket.stop();
  page.chat = null;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  for (const part of [sidebar, thread, panel, newGroup, join, report, frames]) part.forget();
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

onClick("connection", () => {
  if (page.chat.state === "offline") page.chat.socket.start();
  else page.chat.socket.stop();
});

onClick("logout", async () => {
  page.chat.socket.stop();
  try {
    await rest.logout();
  } finally {
    leave();
  }
});

for (const tab of document.querySelectorAll("[data-pane-of]")) {
  tab.addEventListener("click", () => showPane(tab.dataset.paneOf));
}

document.addEventListener("visibilitychange", () => page.chat?.markRead());

byId("socket-address").textContent = socketAddress();
if (rest.user) enter();
else draw();
