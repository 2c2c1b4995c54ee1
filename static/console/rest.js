// The REST half of a client: its session, kept for this tab, and calls made with it.
// Access tokens run out every few minutes; the refresh token gets the next one.

const BASE = "/api/v1/";
// Two tabs are two people here, so the session belongs to the tab.
const STORAGE_KEY = "chat.session";
const RENEW_BEFORE_MS = 10_000;

// What the server refused, in the form of its one table of errors.
export class Refused extends Error {
  constructor(status, body) {
    const fields = Object.entries(body.fields ?? {}).map(([name, what]) => `${name} ${what}`);
    super([body.message, ...fields].join(" "));
    this.status = status;
    this.code = body.code;
  }
}

async function request(method, path, body, token) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(BASE + path, { method, headers, body: JSON.stringify(body) });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => ({ message: `Answered with ${answer.status}.` }));
  if (!answer.ok) throw new Refused(answer.status, content);
  return content;
}

export class Rest {
  #session = JSON.parse(sessionStorage.getItem(STORAGE_KEY));
  #renewing = null;

  // The person who is logged in, {id, username}, or null.
  get user() {
    return this.#session?.user ?? null;
  }

  async register(username, email, password) {
    await request("POST", "auth/register", { username, email, password });
  }

  async login(login, password) {
    this.#keep(await request("POST", "auth/login", { login, password, device: "console" }));
  }

  async logout() {
    try {
      await this.call("POST", "auth/logout");
    } finally {
      this.forget();
    }
  }

  // Forget the session, which is over.
  forget() {
    this.#keep(null);
  }

  async call(method, path, body) {
    if (!this.#session) throw new Refused(401, { code: "unauthenticated", message: "Log in." });
    if (Date.parse(this.#session.access_token_expires_at) < Date.now() + RENEW_BEFORE_MS) {
      await this.#renew();
    }
    try {
      return await request(method, path, body, this.#session?.access_token);
    } catch (error) {
      // Our clock may be wrong.
      if (error.code !== "wrong_credentials") throw error;
      await this.#renew();
      return request(method, path, body, this.#session?.access_token);
    }
  }

  // All pages of a list.
  async all(path) {
    const rows = [];
    let after = null;
    do {
      const query = new URLSearchParams({ limit: 200, ...(after && { after }) });
      const page = await this.call("GET", `${path}?${query}`);
      rows.push(...page.results);
      after = page.next;
    } while (after);
    return rows;
  }

  // A refresh token is good for one use: calls that find the token old wait for the same one.
  #renew() {
    this.#renewing ??= request("POST", "auth/refresh", { refresh_token: this.#session.refresh_token })
      .then((tokens) => {
        // Not if somebody logged out meanwhile.
        if (this.#session) this.#keep({ ...this.#session, ...tokens });
      })
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }

  #keep(session) {
    this.#session = session;
    if (session) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(session));
    else sessionStorage.removeItem(STORAGE_KEY);
  }
}
