// The demo page: wires its parts.

import { deviceInAddress, onAddress, questionInAddress, rememberDevice } from "./address.js";
import { AskedPicture } from "./asked.js";
import type { Device, Gallery } from "./avse-web/index.js";
import { Composer } from "./composer.js";
import { showCredits } from "./credits.js";
import { announce, byId } from "./dom.js";
import { ExplainDialog } from "./explain.js";
import { Facts } from "./facts.js";
import { Finder, type Answer, type Question } from "./finder.js";
import { LoadingPanel, showTrouble, type Remedy } from "./loading.js";
import { keepShell } from "./offline.js";
import { OwnPictures } from "./own.js";
import { pictureInput } from "./picture-input.js";
import { Results } from "./results.js";
import { Session } from "./session.js";
import { themeToggle } from "./theme.js";
import { thumbnailUrl } from "./thumbnails.js";
import { Waiting } from "./waiting.js";
import { codeOf } from "./words.js";

const session = new Session(deviceInAddress());
const asked = new AskedPicture();
const dialog = new ExplainDialog();
let answer: Answer | null = null;

const results = new Results({ why, lookUp });
const finder = new Finder(session, {
  answered(next) {
    answer = next;
    showTrouble(null);
    if (session.loaded) results.show(next, session.loaded);
    asked.guessed(next.captions?.hits.map(({ caption, key }) => caption ?? key) ?? []);
    facts.timed(next.timing);
  },
  timed(timing) {
    if (!answer || !session.loaded) return;
    answer = { ...answer, timing };
    results.timed(answer, session.loaded);
    facts.timed(timing);
  },
  failed: questionFailed,
  busy(busy) {
    results.busy(busy);
    // While the model loads its panel says so.
    waiting.busy(busy && session.stage === "ready");
  },
});
const waiting = new Waiting({
  stop() {
    const given = finder.asked;
    finder.stop();
    if (given) waiting.stopped(() => finder.ask(given));
  },
  otherDevice: () => (session.loaded?.avse.info.device === "webgpu" ? () => void switchTo("wasm") : null),
});
const composer = new Composer(finder, asked, nothing);
const facts = new Facts(session, (device) => void switchTo(device));
const own = new OwnPictures(session, {
  changed(gallery) {
    // Without any, before and after, there is nothing to ask again for.
    if (!gallery && !finder.own) return;
    finder.own = gallery;
    // The answer on the page may show rows that have moved or are gone.
    const question = finder.asked ?? answer?.question;
    if (question && session.stage === "ready") finder.ask(question);
  },
  quiet: () => finder.quiet(),
  lookUp,
});

new LoadingPanel(session);
themeToggle();
pictureInput({
  one: (file) => composer.picture(file, file.name),
  several: (files) => void own.add(files).then(() => byId("own", HTMLElement).scrollIntoView({ block: "nearest" })),
});
onAddress((question) => composer.sentence(question, false));

session.addEventListener("stage", () => {
  const { stage, loaded } = session;
  if (stage === "failed") startFailed(session.error);
  if (stage === "loading") showTrouble(null);
  if (stage === "ready" && loaded) {
    asked.domain = loaded.site.domain;
    if (asked.domain && asked.domain !== "drawings of emoji") byId("knows", HTMLElement).textContent = `It knows ${asked.domain} only.`;
    showCredits(loaded.site);
    announce("The model is ready");
    waiting.busy(finder.asked !== null);
    if (!busyWith()) nothing();
    // A first sentence does not wait for what only pictures need.
    void finder.quiet().then(() => loaded.captions()).catch(() => undefined);
  }
});
session.addEventListener("devicelost", () => announce("The graphics device was lost. Starting it again."));
session.addEventListener("restarted", () => announce("Started again."));

const first = questionInAddress();
results.waiting(first !== "");
if (first) composer.sentence(first, false);
// The copies for offline visits are made when the first answer no longer has to wait for them.
const keep = () => void keepShell(() => facts.worksOffline());
if (savesData()) keep();
else void session.start().then(keep);

/** Nothing is asked: something to begin with. */
function nothing(): void {
  answer = null;
  if (session.loaded) void results.welcome(session.loaded).catch(() => undefined);
  else results.waiting(false);
}

/** A question is on the page or under way. */
function busyWith(): boolean {
  return answer !== null || finder.asked !== null;
}

function why(gallery: Gallery, row: number, words: string): void {
  const { loaded } = session;
  if (!answer || !loaded) return;
  const { query, question } = answer;
  const sentence = question.kind === "sentence" ? question.text : words;
  const source = question.kind === "picture";
  void dialog.open({
    sentence,
    picture: source ? Promise.resolve(asked.url) : thumbnailUrl(gallery, row),
    explanation: (signal) => loaded.avse.explain(gallery, query, row, { signal }),
    next: source
      ? { label: "Find pictures for this sentence", action: () => composer.sentence(sentence, true) }
      : { label: "Look this picture up", action: () => lookUp(gallery, row, words) },
  });
}

function lookUp(gallery: Gallery, row: number, words: string): void {
  void gallery.thumbnail(row).then(
    (blob) => blob && composer.picture(blob, words),
    (error: unknown) => showTrouble(error),
  );
}

function questionFailed(question: Question, error: unknown): void {
  const remedies: Remedy[] = [];
  const code = codeOf(error);
  if (code !== "image" && code !== "text") remedies.push({ label: "Try again", action: () => finder.ask(question) });
  remedies.push(...otherDevice(code));
  showTrouble(error, remedies);
}

function startFailed(error: unknown): void {
  showTrouble(error, [{ label: "Try again", action: () => void session.start() }, ...otherDevice(codeOf(error))]);
}

/** WebAssembly is a way out of what can go wrong with a graphics device. */
function otherDevice(code: string): Remedy[] {
  const helps = ["no-device", "device-lost", "out-of-memory", "internal"].includes(code) && session.device !== "wasm";
  return helps ? [{ label: "Use WebAssembly", action: () => void switchTo("wasm") }] : [];
}

async function switchTo(device: Device): Promise<void> {
  rememberDevice(device);
  facts.choose(device);
  const question = finder.asked ?? answer?.question;
  finder.stop();
  // The question waits for the fresh start and is asked again.
  const started = session.start(device);
  if (question) finder.ask(question);
  await started;
}

function savesData(): boolean {
  const connection = (navigator as Navigator & { connection?: { saveData?: boolean } }).connection;
  return connection?.saveData === true;
}
