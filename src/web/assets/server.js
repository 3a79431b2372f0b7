// Speaks to the program that serves the page: one stream for all tabs of a browser, and requests.

const HEADERS = { "X-Sglab": "1", "Content-Type": "application/json" };

// Exchanges the token of the address for a cookie. The fragment is never sent by itself; it goes from the address bar at once.
export async function logIn() {
  const token = new URLSearchParams(location.hash.slice(1)).get("t");
  if (token === null) return null;
  history.replaceState(null, "", location.pathname);
  const response = await fetch("/session", { method: "POST", headers: { "X-Sglab": "1" }, body: token });
  return response.ok ? null : (await response.text()).trim();
}

// Asks for something; gives the answer, or `{result: "failed", why}`.
export async function post(path, body) {
  try {
    const response = await fetch(path, { method: "POST", headers: HEADERS, body: JSON.stringify(body) });
    const text = await response.text();
    if (response.headers.get("Content-Type") === "application/json") return JSON.parse(text);
    return { result: "failed", why: text.trim(), status: response.status };
  } catch {
    return { result: "failed", why: "the page's program does not answer: has it ended?" };
  }
}

export async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

// Follows the lab. A browser opens six connections to one address at most, so one tab listens for all: whoever holds the lock. The others
// hear it through a channel. `current` gives all of the board as it stands, for a tab that comes later.
export function follow({ hear, connected, current }) {
  const channel = new BroadcastChannel("sglab");
  const own = crypto.randomUUID?.() ?? String(Math.random());
  let leads = false;
  channel.onmessage = ({ data }) => {
    if (data.kind === "ask" && leads) {
      const board = current();
      if (board !== null) channel.postMessage({ kind: "frame", to: data.from, name: "board", data: board });
    } else if (data.kind === "frame" && (data.to ?? own) === own) {
      hear(data.name, data.data);
      connected("live");
    } else if (data.kind === "connected") connected(data.how, data.why);
  };
  const tell = (how, why) => {
    connected(how, why);
    channel.postMessage({ kind: "connected", how, why });
  };
  const lead = () =>
    new Promise((release) => {
      leads = true;
      let source;
      const open = () => {
        source = new EventSource("/api/stream");
        source.onopen = () => tell("live");
        source.onerror = async () => {
          if (source.readyState !== EventSource.CLOSED) return tell("lost");
          // Tell what is wrong: no cookie, or nobody there.
          try {
            const response = await fetch("/api/stream", { headers: { "X-Sglab": "1" } });
            if (response.ok) {
              response.body?.cancel();
              return open();
            }
            tell("refused", (await response.text()).trim());
          } catch {
            tell("lost");
            setTimeout(open, 1000);
          }
        };
        for (const name of ["board", "cells", "picture", "log", "room", "gone"]) {
          source.addEventListener(name, (event) => {
            const data = JSON.parse(event.data);
            hear(name, data);
            channel.postMessage({ kind: "frame", name, data });
          });
        }
      };
      open();
      addEventListener("pagehide", () => {
        source.close();
        release();
      });
    });
  if (navigator.locks === undefined) lead();
  else navigator.locks.request("sglab-stream", lead);
  channel.postMessage({ kind: "ask", from: own });
}
