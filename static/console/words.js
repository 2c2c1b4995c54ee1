// What the log of a group tells, in words, and when somebody was here.

import { nameTag, timeOf } from "./view.js";

const NAMED_MAX = 5;
const ROLES = { owner: "the owner", admin: "an admin", member: "a member" };

// By action, for who did it, the users it was done to, and what something became.
const WORDS = {
  "group.created": (by, _, value) => say`${by} made the group ${value}`,
  "members.added": (by, users) => say`${by} added ${users}`,
  "member.joined": (by) => say`${by} joined by an invitation`,
  "member.left": (by) => say`${by} left`,
  "member.removed": (by, users) => say`${by} removed ${users}`,
  "role.changed": (by, users, value) => say`${by} made ${users} ${ROLES[value] ?? value}`,
  "group.renamed": (by, _, value) => say`${by} renamed the group ${value}`,
  "description.changed": (by) => say`${by} changed the description`,
  "announcement_only.changed": (by, _, value) =>
    value === "on" ? say`${by} let only admins write` : say`${by} let everybody write`,
  "slow_mode.changed": (by, _, value) =>
    value === "0" ? say`${by} ended slow mode` : say`${by} set slow mode to ${value} seconds`,
  "history.changed": (by, _, value) =>
    value === "all"
      ? say`${by} lets new members read the whole history`
      : say`${by} lets new members read on from their joining`,
  "invite_policy.changed": (by, _, value) =>
    value === "members" ? say`${by} lets everybody invite` : say`${by} lets only admins invite`,
  "group.closed": (by) => say`${by} closed the group`,
};

// A system message as nodes; what this client does not know stays neutral.
export function systemLine({ sender_id: sender, system }, people, ownId) {
  const own = sender === ownId ? "yourself" : "you";
  const nameOf = (id) => (id === ownId ? own : people.nameOf(id));
  const by = sender === ownId ? "You" : people.nameOf(sender);
  const shown = system.user_ids.slice(0, NAMED_MAX).map(nameOf);
  const more = system.user_ids.length - shown.length;
  const users = shown.join(", ") + (more ? ` and ${more} more` : "");
  const words = WORDS[system.action] ?? (() => say`The group was changed`);
  return words(by, users, system.value);
}

export function presenceOf(id, people) {
  if (people.isBot(id)) return "bot";
  if (people.isOnline(id)) return "online";
  const lastSeen = people.lastSeen(id);
  return lastSeen ? `last seen ${timeOf(lastSeen)}` : "";
}

export function membersOf({ member_count: count }) {
  return count === 1 ? "1 member" : `${count} members`;
}

// The parts of a sentence, whose values are names.
function say(words, ...values) {
  return words.flatMap((word, place) => (place in values ? [word, nameTag(values[place])] : word));
}
