// The whole front end. Nothing here knows a token: the browser sends them by itself, and the server renews them.
const at = (id) => document.getElementById(id);

class Problem extends Error {
  constructor(status, { code = "", detail } = {}) {
    super(typeof detail === "string" ? detail : "That did not work. Please try again.");
    this.signedOut = status === 401 && code !== "invalid_credentials";
  }
}

// Only for browsers that do not say which site a request comes from. The cookie signs nobody in.
const crossSiteToken = () => document.cookie.match(/(?:^|; )(?:__Host-)?gatepost-csrf=([^;]+)/)?.[1] ?? "";

async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": crossSiteToken() };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const said = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, said);
  return said;
}

function show(tasks) {
  at("entrance").hidden = true;
  at("tasks").hidden = at("sign-out").hidden = false;
  at("none").hidden = tasks.length > 0;
  at("list").replaceChildren(...tasks.map((text, place) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    item.append(text, button);  // as text: markup in a task stays what somebody wrote
    button.textContent = "Done";
    button.setAttribute("aria-label", `Done: ${text}`);
    button.onclick = () => attempt(() => ask("DELETE", `/api/tasks/${place}`));
    return item;
  }));
}

function showEntrance() {
  at("tasks").hidden = at("sign-out").hidden = true;
  at("list").replaceChildren();
  at("entrance").hidden = false;
}

function say(words) {
  at("message").textContent = words;
  at("message").hidden = !words;
}

// Does something that answers with the tasks, and shows them; or says why not.
async function attempt(doing, words = "You have been signed out. Sign in to go on.") {
  const wasIn = !at("tasks").hidden;
  try {
    show(await doing());
    say("");
  } catch (problem) {
    if (problem.signedOut) showEntrance();
    say(!problem.signedOut ? problem.message : wasIn ? words : "");
  }
}

const load = () => ask("GET", "/api/tasks");

at("entrance").onsubmit = (event) => {
  event.preventDefault();
  const { email, password } = event.target;
  const body = { email: email.value, password: password.value, carrier: "token-cookie" };
  attempt(async () => {
    await ask("POST", `/auth/api/${event.submitter.value}`, body);
    event.target.reset();
    return load();
  });
};

at("new").onsubmit = (event) => {
  event.preventDefault();
  const text = event.target.text.value;
  attempt(async () => {
    const tasks = await ask("POST", "/api/tasks", { text });
    event.target.reset();
    return tasks;
  });
};

at("sign-out").onclick = () => attempt(() => ask("POST", "/auth/api/sign-out").then(load), "You are signed out.");

// Whoever was signed out elsewhere finds the form when they come back to this tab.
document.onvisibilitychange = () => {
  if (!document.hidden && !at("tasks").hidden) attempt(load);
};

attempt(load);
