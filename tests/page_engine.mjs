// Runs the page's engine under Node for the tests: `node page_engine.mjs FOLDER`. Each line of its input names a job, a JSON
// file; each line of its output says "done", with the answer in the file the job names, or what went wrong.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.js`).href);
const { Unit } = await load("unit");
const { Session } = await load("session");
const { Points, motion, proceed } = await load("motions");
const { Host } = await load("worker");
const { SourceMap } = await load("source");
const { limbsOf } = await load("words");
const dataOf = (path) => JSON.parse(readFileSync(path, "utf8"));
const plain = (value) => JSON.stringify(value, (_, each) => (typeof each === "bigint" ? String(each) : ArrayBuffer.isView(each) ? Array.from(each) : each));

// The rows of the history and the output of a run, and the processor's seconds it took
function traced(data, most) {
  const session = new Session(data);
  const began = process.cpuUsage();
  const { stop } = proceed(session, new Points(session.machine.size), motion({}), most, Infinity);
  const { user, system } = process.cpuUsage(began);
  const { history, machine } = session;
  const rows = new Float64Array(history.end * 5);
  for (let k = 0; k < history.end; k++) {
    const [low, high] = history.wordAt(k);
    rows.set([history.pcAt(k), history.addressAt(k), low, high, history.marginAt(k)], 5 * k);
  }
  const output = Buffer.from(machine.output.tail(machine.output.length, Infinity)).toString("base64");
  const { compared, differing } = session;
  const finite = Array.from(rows, (value) => (value === Infinity ? -1 : value));
  return { rows: finite, output, stop, compared, differing, seconds: (user + system) / 1e6 };
}

const KINDS = {
  // cases: uint32 [cases, 4, 2], limbs of minuend, subtrahend, target, fall-through -> float64 [cases, 5]: limbs of both answers, margin
  answers({ data, cases }) {
    const unit = new Unit(dataOf(data));
    const words = new Uint32Array(new Uint8Array(readFileSync(cases)).buffer);
    const found = new Float64Array((words.length / 8) * 5);
    for (let k = 0; k < words.length / 8; k++) {
      unit.evaluate(...words.subarray(8 * k, 8 * k + 8));
      const { low, high, pcLow, pcHigh, margin } = unit.result;
      found.set([low, high, pcLow, pcHigh, margin], 5 * k);
    }
    return found;
  },

  // cases: decimal words [cases][4] -> every decision, as JSON
  explanations({ data, cases }) {
    const unit = new Unit(dataOf(data));
    return cases.map((words) => unit.explain(words.map((word) => Object.values(limbsOf(BigInt(word))))));
  },

  // A run to its end, or of so many steps
  trace: ({ data, most }) => traced(dataOf(data), most),

  // The same of other programs and inputs on one unit
  traces({ data, programs, most }) {
    const base = dataOf(data);
    return programs.map(({ program, input }) => traced({ ...base, program, input }, most));
  },

  // For every address the marks of the next statement and of the way out of the macro call, and where calls begin and end
  source({ data, size }) {
    const source = new SourceMap(dataOf(data).source, size);
    const addresses = Array.from({ length: size }, (_, address) => address);
    const set = (marks) => marks && addresses.filter((address) => marks[address]);
    return {
      over: addresses.map((address) => set(source.otherStatements(address))),
      out: addresses.map((address) => set(source.outside(address, source.level(address)))),
      outermost: addresses.map((address) => source.outermost(address)),
      lines: addresses.map((address) => source.userLine(address)),
      calls: source.calls(),
    };
  },

  // A long run on native arithmetic, with a short history -> how far back it reaches, and whether states come back as they were
  travel({ data, steps, kept, stops }) {
    const session = new Session(dataOf(data), kept ?? undefined);
    const { result } = session.unit;
    session.unit.evaluate = (a, _a, b, _b, c, _c, f) => {
      const low = (a - b) & 0xffff;
      Object.assign(result, { low, pcLow: low & 0x8000 ? c : f, margin: 1 + (low & 7) });
    };
    const { history, machine } = session;
    const look = () => plain([history.cursor, machine.pcLow, machine.low.slice(0, 200), machine.output.length, history.executed.slice(0, 200), history.written.slice(0, 200), history.consoleSteps]); // prettier-ignore
    const seen = new Map();
    while (history.cursor < steps) {
      if (stops.includes(history.cursor)) seen.set(history.cursor, look());
      session.compute();
    }
    const end = look();
    const reached = stops.filter((step) => step >= history.first);
    const same = reached.map((step) => (history.go(step), look() === seen.get(step)));
    const began = performance.now();
    history.go(history.first);
    history.go(history.end);
    const nanoseconds = ((performance.now() - began) * 1e6) / (2 * (history.end - history.first));
    return { first: history.first, end: history.end, reached, same, ends: look() === end, least: history.least(), nanoseconds };
  },

  // Requests to the host, one after the other, each answered and run to rest before the next -> replies and the state after each
  async requests({ data, requests }) {
    const found = [];
    let waiting = [];
    const host = new Host(dataOf(data), (message) => found.push(message), false, { later: (call) => waiting.push(call) });
    const seen = [];
    let id = 0;
    for (const request of requests) {
      found.length = 0;
      if (request.bytes) request.bytes = Uint8Array.from(request.bytes);
      host.handle({ id: ++id, ...request });
      while (waiting.length) {
        const calls = waiting;
        waiting = [];
        for (const call of calls) call();
      }
      const reply = found.find((message) => message.type === "reply");
      seen.push({ reply, state: host.state() });
    }
    return seen;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const job = JSON.parse(readFileSync(line, "utf8"));
    const result = await KINDS[job.kind](job);
    writeFileSync(job.out, ArrayBuffer.isView(result) ? new Uint8Array(result.buffer) : plain(result));
    console.log("done");
  } catch (error) {
    console.log(JSON.stringify(error.stack));
  }
}
process.exit(0);
