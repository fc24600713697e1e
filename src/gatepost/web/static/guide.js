// Says while somebody types a new password what the server would say. Sends nothing and keeps nothing; the server
// decides. Its words stand in the page, in the page's language. Never stricter than core/passwords.py: a test compares.
"use strict";
(() => {
  const lines = [
    "01234567890123456789", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "йцукенгшщзхъфывапролджэячсмитьбю",
  ];
  const backwards = lines.map((line) => [...line].reverse().join(""));
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const alongLine = (text) => [...lines, ...backwards].some((line) => line.includes(text));
  // "abcabcab": one short piece, said again and again.
  const repeats = (text) => [1, 2, 3, 4].some((size) => text.slice(size) === text.slice(0, -size));

  const judge = (typed, email, least) => {
    const text = typed.normalize("NFC");
    const missing = least - [...text].length;
    if (missing > 0) return [missing === 1 ? "one" : "more", missing];
    if (new TextEncoder().encode(text).length > 1024) return ["long", 0];
    const folded = fold(text);
    if (alongLine(folded.replace(/(.)\1+/gu, "$1"))) return ["sequence", 0];
    if (repeats(folded)) return ["repeated", 0];
    if (email.includes("@") && folded === fold(email)) return ["own", 0];
    return ["enough", 0];
  };

  for (const guide of document.querySelectorAll("[data-guide]")) {
    const password = document.getElementById(guide.dataset.guide);
    const email = document.getElementById("email");
    const bar = guide.querySelector("progress");
    const words = guide.querySelector("p");
    const say = () => {
      const [verdict, missing] = judge(password.value, email ? email.value : "", bar.max);
      guide.dataset.verdict = password.value ? verdict : "";
      bar.value = bar.max - missing;
      words.textContent = password.value ? guide.dataset[verdict].replace("{n}", missing) : guide.dataset.first;
    };
    password.addEventListener("input", say);
    if (email) email.addEventListener("input", say);
    const reveal = guide.parentElement.querySelector(".reveal");
    const shown = reveal.querySelector("input");
    reveal.hidden = false;
    shown.checked = false;
    shown.addEventListener("change", () => { password.type = shown.checked ? "text" : "password"; });
    password.form.addEventListener("submit", () => { password.type = "password"; });
    say();
  }
})();
