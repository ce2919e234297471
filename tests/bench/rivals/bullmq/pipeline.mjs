// The benchmark's pipeline as a BullMQ flow: a parent job a change, which acknowledges, with two
// children, crm and salsa. Written as its documentation shows it; ../README.md says what it leaves out.

import { FlowProducer, Worker } from "bullmq";
import { Redis } from "ioredis";
import { request } from "undici";

const setting = (name, otherwise) => {
  const value = process.env[name] || otherwise;
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
};
const number = (name, otherwise) => {
  const value = Number(setting(name, otherwise));
  if (!Number.isInteger(value) || value < 1) {
    console.error(`${name} is not a whole number above 0`);
    process.exit(2);
  }
  return value;
};

const redisUrl = setting("REDIS_URL");
const alumniq = setting("ALUMNIQ_URL");
const crm = setting("CRM_URL");
const salsa = setting("SALSA_URL");
const apikey = setting("ALUMNIQ_API_KEY");
const username = setting("CRM_USERNAME");
const password = setting("CRM_PASSWORD");
const authToken = setting("SALSA_AUTH_TOKEN");
const changes = number("CHANGES");
const concurrency = number("CONCURRENCY", "16"); // calls at a time, of each destination
const filter = process.env.DAY
  ? { changedOnDate: process.env.DAY }
  : { changedSinceDate: setting("SINCE") }; // AlumnIQ gives 500 rows at most for it

const FLOWS_A_CALL = 1000;
const IDS_A_PUT = 200;
const WAIT_FOR_IDS = 100; // milliseconds
const retried = {
  attempts: 5,
  backoff: { type: "exponential", delay: 1000 },
  removeOnComplete: true,
};
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { "content-type": "application/json" };

// undici's request keeps connections alive, and costs half the processor time of fetch here. An error names
// the call and never what was sent or answered.
async function call(what, url, options) {
  const response = await request(url, options);
  const body = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`${what}: status ${response.statusCode}`);
  try {
    return body && JSON.parse(body);
  } catch {
    throw new Error(`${what}: status ${response.statusCode}, but no JSON`);
  }
}

const text = (value) => String(value ?? "").trim();
const filled = (fields) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value));

const fetchChanges = () => {
  const query = new URLSearchParams({ apikey, ...filter });
  return call("AlumnIQ fetch", `${alumniq}/sync/address-change/work?${query}`);
};

// The CRM: one token for all, until it is refused.

let token;
const newToken = () =>
  call("CRM token", `${crm}/token`, {
    method: "POST",
    headers: form,
    body: new URLSearchParams({ grant_type: "password", username, password }).toString(),
  }).then((granted) => granted.access_token);

const note = (row) =>
  `Employer: ${text(row.employer)}; title: ${text(row.jobTitle)}; change ${text(row.changeId)}`;

async function updateCrm({ data: row }) {
  token ??= newToken();
  const used = token;
  try {
    await call("CRM update", `${crm}/processes/updatecontact`, {
      method: "POST",
      headers: { ...json, authorization: `Bearer ${await used}` },
      body: JSON.stringify({
        StudentInstitutionId: text(row.xid),
        ContactNoteContent: note(row),
        ...filled({ PhoneWork: text(row.phone), EmailAddress2: text(row.email) }),
      }),
    });
  } catch (error) {
    if (token === used) token = undefined; // whatever it was: the next attempt gets a new one
    throw error;
  }
}

// Salsa: read, merge, write, one supporter a call. BullMQ hands its worker one job at a time (batches
// are part of BullMQ Pro).

const CENSUS = [
  "supporterId",
  "title",
  "firstName",
  "middleName",
  "lastName",
  "suffix",
  "externalSystemId",
  "dateOfBirth",
  "gender",
];

function merged(found, row) {
  const contacts = new Map(
    (found.contacts ?? []).map(({ type, value }) => [type, value]), // no status: nobody is subscribed again
  );
  if (text(row.phone)) contacts.set("WORK_PHONE", text(row.phone));
  const custom = filled({ Employer: text(row.employer), "Job Title": text(row.jobTitle) });
  return {
    ...filled(Object.fromEntries(CENSUS.map((field) => [field, found[field]]))),
    contacts: Array.from(contacts, ([type, value]) => ({ type, value })),
    customFieldValues: Object.entries(custom).map(([name, value]) => ({ name, value })),
  };
}

async function upsertSalsa({ data: row }) {
  const send = (what, path, method, payload) =>
    call(what, `${salsa}/${path}`, {
      method,
      headers: { ...json, authToken },
      body: JSON.stringify({ payload }),
    });
  const identifiers = [text(row.xid)];
  const search = { identifiers, identifierType: "EXTERNAL_ID" };
  const answer = await send("Salsa search", "supporters/search", "POST", search);
  const found = answer.payload.supporters.find((supporter) => supporter.result === "FOUND");
  if (!found) throw new Error("Salsa search: no such supporter");
  const document = { supporters: [merged(found, row)] };
  const put = await send("Salsa put", "supporters", "PUT", document);
  const result = put.payload.supporters[0].result;
  if (result !== "UPDATED") throw new Error(`Salsa put: ${result}`);
}

// Acknowledgements are batched: a parent job waits until up to 200 of them, or those of 100 ms, are PUT
// together. It is complete only after its PUT.

let batch;
function acknowledge({ data: { changeId } }) {
  if (!batch) {
    const ids = [];
    let full;
    const wait = new Promise((resolve) => {
      full = resolve;
      setTimeout(resolve, WAIT_FOR_IDS);
    });
    const opened = { ids, full };
    opened.put = wait.then(() => {
      if (batch === opened) batch = undefined;
      return call("AlumnIQ acknowledge", `${alumniq}/sync/address-change/work`, {
        method: "PUT",
        headers: form,
        body: new URLSearchParams({ apikey, changeIdList: ids.join(",") }).toString(),
      });
    });
    batch = opened;
  }
  const { ids, full, put } = batch;
  ids.push(changeId);
  if (ids.length === IDS_A_PUT) {
    batch = undefined;
    full();
  }
  return put;
}

// What is left of an earlier run would be worked off, too, and counted.
const redis = new Redis(redisUrl);
if ((await redis.dbsize()) > 0) {
  console.error("the Redis database of REDIS_URL is not empty");
  process.exit(2);
}
await redis.quit();

const connection = { url: redisUrl, maxRetriesPerRequest: null };
const workers = [
  new Worker("crm", updateCrm, { connection, concurrency }),
  new Worker("salsa", upsertSalsa, { connection, concurrency }),
  new Worker("acknowledge", acknowledge, { connection, concurrency: IDS_A_PUT }),
];
const completed = new Promise((resolve, reject) => {
  let open = changes;
  workers[2].on("completed", () => {
    open -= 1;
    if (open === 0) resolve(performance.now());
  });
  for (const worker of workers) {
    worker.on("error", (error) => console.error(`${worker.name}: ${error.message}`)); // it reconnects by itself
    worker.on("failed", (job, error) => {
      console.error(`${worker.name}, attempt ${job?.attemptsMade}: ${error.message}`);
      if (!job || job.attemptsMade >= job.opts.attempts) reject(new Error("a job failed for good"));
    });
  }
});
completed.catch(() => {}); // it is awaited below; it may fail before
const flows = new FlowProducer({ connection });
await Promise.all([...workers, flows].map((part) => part.waitUntilReady()));

try {
  const start = performance.now();
  const rows = await fetchChanges();
  if (rows.length < changes) throw new Error(`only ${rows.length} of ${changes} changes were fetched`);
  const wanted = rows.slice(0, changes);
  for (let at = 0; at < wanted.length; at += FLOWS_A_CALL) {
    await flows.addBulk(
      wanted.slice(at, at + FLOWS_A_CALL).map((row) => ({
        name: "change",
        queueName: "acknowledge",
        data: { changeId: text(row.changeId) },
        opts: retried,
        children: ["crm", "salsa"].map((queueName) => ({
          name: "change",
          queueName,
          data: row,
          opts: { ...retried, failParentOnFailure: true },
        })),
      })),
    );
  }
  const seconds = ((await completed) - start) / 1000;
  console.log(JSON.stringify({ changes, seconds: Number(seconds.toFixed(3)) }));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
await Promise.all([...workers, flows].map((part) => part.close()));
process.exit(0); // idle connections would hold it for some seconds
