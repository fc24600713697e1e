// Races who verifies a token in Node: raw node:crypto, jose, fast-jwt without and with its cache, in turns.
// Reads what to race as JSON on stdin, writes microseconds of one call, round by round, as JSON on stdout.
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { importSPKI, jwtVerify } from "jose";
import fastJwt from "fast-jwt";

const given = JSON.parse(readFileSync(0, "utf8"));

function rawVerify(algorithm, key) {
  switch (algorithm) {
    case "ES256":
      return ({ signed, signature }) =>
        crypto.verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature);
    case "EdDSA":
      return ({ signed, signature }) => crypto.verify(null, signed, key, signature);
    case "RS256":
      return ({ signed, signature }) => crypto.verify("sha256", signed, key, signature);
    default:
      return ({ signed, signature }) =>
        crypto.timingSafeEqual(crypto.createHmac("sha256", key).update(signed).digest(), signature);
  }
}

function pieces(token) {
  const end = token.lastIndexOf(".");
  return { signed: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), "base64url") };
}

async function contenders(algorithm, { key, secret, tokens }) {
  const bytes = Buffer.from(key, "base64");
  const object = secret ? crypto.createSecretKey(bytes) : crypto.createPublicKey(bytes);
  const raw = rawVerify(algorithm, object);
  const parsed = tokens.map(pieces);
  const fast = { key: secret ? bytes : bytes.toString(), algorithms: [algorithm], allowedIss: given.issuer,
                 allowedAud: given.issuer };
  const plain = fastJwt.createVerifier({ ...fast, cache: false });
  const cached = fastJwt.createVerifier({ ...fast, cache: true });
  // What jose works with: another form of key it would turn into this one at every call.
  const ready = secret
    ? await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"])
    : await importSPKI(bytes.toString(), algorithm);
  const options = { issuer: given.issuer, audience: given.issuer, algorithms: [algorithm] };
  return [
    (n) => { for (let i = 0; i < n; i++) if (!raw(parsed[i % parsed.length])) throw new Error("not verified"); },
    async (n) => { for (let i = 0; i < n; i++) await jwtVerify(tokens[i % tokens.length], ready, options); },
    (n) => { for (let i = 0; i < n; i++) plain(tokens[i % tokens.length]); },
    (n) => { for (let i = 0; i < n; i++) cached(tokens[0]); },
  ];
}

async function microseconds(work, count) {
  const began = process.hrtime.bigint();
  await work(count);
  return Number(process.hrtime.bigint() - began) / 1000;
}

// Found by trying, which warms up as well.
async function callsIn(work, seconds) {
  for (let count = 64; ; count *= 4) {
    const taken = await microseconds(work, count);
    if (taken >= seconds * 250000) return Math.max(1, Math.round((count * seconds * 1e6) / taken));
  }
}

async function race(works) {
  const counts = [];
  for (const work of works) counts.push(await callsIn(work, given.seconds));
  const rounds = works.map(() => []);
  for (let round = 0; round < given.rounds; round++) {
    for (const [place, work] of works.entries()) {
      rounds[place].push((await microseconds(work, counts[place])) / counts[place]);
    }
  }
  return Object.fromEntries(given.names.map((name, place) => [name, rounds[place]]));
}

const found = {};
for (const [algorithm, key] of Object.entries(given.keys)) {
  found[algorithm] = await race(await contenders(algorithm, key));
}
console.log(JSON.stringify(found));
