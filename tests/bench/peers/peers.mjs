// peers.mjs - the benchmarks' workload in other people's engines, as far as each does the same.
//
//   node peers.mjs ROWS.csv
//
// Rows as bench_peers writes them: a participant has 13 fields, an interview 4, a step 8. Each engine keeps them in its own way:
// Yjs, Loro and Automerge one document in memory, a map of rows of maps of cells; PouchDB a database in memory, a document a row.
// Licences: Yjs, Loro and Automerge MIT, PouchDB Apache-2.0. None of them writes to a disk here, none encrypts, none signs, none checks anything; so the figures are theirs at their best.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const TABLES = { 13: "participant", 4: "interview", 8: "step" };
const ROWS_A_TX = 100, UPDATES_A_TX = 10, FEW = 50;

const rows = readFileSync(process.argv[2], "utf8").trimEnd().split("\n").map((line) => {
  const fields = line.split(",");
  return { table: TABLES[fields.length], id: fields[0], cells: fields };
});
const steps = rows.filter((row) => row.table === "step").map((row) => row.id);
const EACH = Math.floor(steps.length / 3), SAME = Math.floor(EACH / 10), STRIDE = 7919;
const step = (i) => steps[(i * STRIDE) % steps.length];

const cells = rows.reduce((sum, row) => sum + row.cells.filter((cell) => cell !== "").length, 0);
let state = 7n; // values without a pattern, as bench_wire's
const value = () => {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return String(400 + Number((state >> 33n) % 90000n));
};
const now = () => Number(process.hrtime.bigint()) / 1e9;
async function timed(work) {
  const start = now();
  const result = await work();
  return [now() - start, result];
}

function* parts(list, size) {
  for (let i = 0; i < list.length; i += size) yield list.slice(i, i + size);
}
const range = (first, count) => Array.from({ length: count }, (_, i) => first + i);

// --- each engine: open() a replica; insert(replica, rows), update(replica, ids) in one transaction; full(replica),
// --- since(replica, mark), mark(replica), merge(replica, bytes); kept(replica, id): how many values a cell has in conflict

const engines = {
  async Yjs() {
    const Y = await import("yjs");
    return {
      open: () => new Y.Doc(),
      insert: (doc, some) => doc.transact(() => {
        for (const row of some) {
          const map = new Y.Map();
          row.cells.forEach((cell, i) => { if (cell !== "") map.set("c" + i, cell); });
          doc.getMap(row.table).set(row.id, map);
        }
      }),
      update: (doc, ids) => doc.transact(() => { for (const id of ids) doc.getMap("step").get(id).set("c6", value()); }),
      full: (doc) => Y.encodeStateAsUpdateV2(doc),
      mark: (doc) => Y.encodeStateVector(doc),
      since: (doc, mark) => Y.encodeStateAsUpdateV2(doc, mark),
      merge: (doc, bytes) => { Y.applyUpdateV2(doc, bytes); return doc; },
      kept: () => 0,
    };
  },
  async Loro() {
    const { LoroDoc, LoroMap } = await import("loro-crdt");
    return {
      open: () => new LoroDoc(),
      insert: (doc, some) => {
        for (const row of some) {
          const map = doc.getMap(row.table).setContainer(row.id, new LoroMap());
          row.cells.forEach((cell, i) => { if (cell !== "") map.set("c" + i, cell); });
        }
        doc.commit();
      },
      update: (doc, ids) => {
        const table = doc.getMap("step");
        for (const id of ids) table.get(id).set("c6", value());
        doc.commit();
      },
      full: (doc) => doc.export({ mode: "snapshot" }),
      mark: (doc) => doc.version(),
      since: (doc, mark) => doc.export({ mode: "update", from: mark }),
      merge: (doc, bytes) => { doc.import(bytes); return doc; },
      kept: () => 0,
    };
  },
  async Automerge() {
    const A = await import("@automerge/automerge");
    return {
      open: () => ({ doc: A.init() }),
      insert: (replica, some) => {
        replica.doc = A.change(replica.doc, (doc) => {
          for (const row of some) {
            doc[row.table] ??= {};
            doc[row.table][row.id] = Object.fromEntries(row.cells.map((cell, i) => ["c" + i, cell]).filter(([, cell]) => cell !== ""));
          }
        });
      },
      update: (replica, ids) => {
        replica.doc = A.change(replica.doc, (doc) => { for (const id of ids) doc.step[id].c6 = value(); });
      },
      full: (replica) => A.save(replica.doc),
      mark: (replica) => A.getHeads(replica.doc),
      since: (replica, mark) => A.saveSince(replica.doc, mark),
      merge: (replica, bytes) => { replica.doc = A.loadIncremental(replica.doc, bytes); return replica; },
      kept: (replica, id) => Object.keys(A.getConflicts(replica.doc.step[id], "c6") ?? {}).length,
    };
  },
};

function line(engine, what, figure) {
  console.log(`${engine.padEnd(10)} ${what.padEnd(44)} ${figure}`);
}
const size = (bytes) => `${bytes.length} bytes, ${gzipSync(bytes).length} after gzip`;

async function measure(name, engine) {
  const one = engine.open();
  const [insert] = await timed(() => { for (const some of parts(rows, ROWS_A_TX)) engine.insert(one, some); });
  line(name, "W1 bulk insert, 100 rows a transaction", `${((insert / rows.length) * 1e6).toFixed(2)} us a row`);
  const all = engine.full(one);
  line(name, "X  a whole bootstrap", size(all));
  const other = engine.open();
  const [load] = await timed(() => engine.merge(other, all));
  line(name, "M  taking it into an empty replica", `${Math.round(cells / load)} cells/s`);

  let mark = engine.mark(one);
  for (let i = 0; i < FEW; i++) engine.update(one, [step(i)]);
  const few = engine.since(one, mark);
  line(name, "I50 50 changed cells, without any session", size(few));
  engine.merge(other, few);

  const mine = engine.mark(one), theirs = engine.mark(other);
  const [update] = await timed(() => { for (const some of parts(range(FEW, EACH), UPDATES_A_TX)) engine.update(one, some.map(step)); });
  line(name, "W2 single-column update, 10 a transaction", `${((update / EACH) * 1e6).toFixed(2)} us`);
  for (const some of parts(range(FEW + EACH - SAME, EACH), UPDATES_A_TX)) engine.update(other, some.map(step));
  const delta = engine.since(one, mine), back = engine.since(other, theirs);
  line(name, `D  a delta of ${EACH} updates`, `${(delta.length / EACH).toFixed(1)} bytes a cell, ${(gzipSync(delta).length / EACH).toFixed(1)} after gzip`);
  const [merge] = await timed(() => { engine.merge(other, delta); engine.merge(one, back); });
  line(name, `N  merge of 2 x ${EACH}, ${SAME} of the same cell`, `${((merge / (2 * EACH)) * 1e6).toFixed(2)} us each`);
  const kept = range(FEW + EACH - SAME, SAME).filter((i) => engine.kept(one, step(i)) > 1).length;
  line(name, "   losing values that are kept", `${kept} of ${SAME}`);
}

async function measurePouch() {
  const { default: PouchDB } = await import("pouchdb-core");
  PouchDB.plugin((await import("pouchdb-adapter-memory")).default).plugin((await import("pouchdb-replication")).default);
  const one = new PouchDB("one", { adapter: "memory" }), other = new PouchDB("other", { adapter: "memory" });
  const [insert] = await timed(async () => {
    for (const some of parts(rows, ROWS_A_TX))
      await one.bulkDocs(some.map((row) => ({ _id: row.id, table: row.table, ...Object.fromEntries(row.cells.map((cell, i) => ["c" + i, cell]).filter(([, cell]) => cell !== "")) })));
  });
  line("PouchDB", "W1 bulk insert, 100 rows a transaction", `${((insert / rows.length) * 1e6).toFixed(2)} us a row`);
  const [load] = await timed(() => PouchDB.replicate(one, other, { batch_size: 1000 }));
  line("PouchDB", "M  replication into an empty database", `${Math.round(cells / load)} cells/s`);
  const change = async (db, first, count) => {
    for (const some of parts(range(first, count), UPDATES_A_TX)) {
      const got = await db.allDocs({ keys: some.map(step), include_docs: true });
      await db.bulkDocs(got.rows.map((row) => ({ ...row.doc, c6: value() })));
    }
  };
  const [update] = await timed(() => change(one, 0, EACH));
  line("PouchDB", "W2 single-column update, 10 a transaction", `${((update / EACH) * 1e6).toFixed(2)} us`);
  await change(other, EACH - SAME, EACH);
  const [merge] = await timed(async () => { await PouchDB.replicate(one, other, { batch_size: 1000 }); await PouchDB.replicate(other, one, { batch_size: 1000 }); });
  line("PouchDB", `N  merge of 2 x ${EACH}, ${SAME} of the same row`, `${((merge / (2 * EACH)) * 1e6).toFixed(2)} us each`);
  let kept = 0;
  for (const i of range(EACH - SAME, SAME)) kept += ((await one.get(step(i), { conflicts: true }))._conflicts ?? []).length > 0;
  line("PouchDB", "   losing rows that are kept", `${kept} of ${SAME}`);
}

console.log(`${rows.length} rows, ${cells} cells; in memory, nothing encrypted, signed or checked`);
for (const name of Object.keys(engines)) await measure(name, await engines[name]());
await measurePouch();
