// Questions and their answers: one question at a time, a newer one gives up the one before.

import type { Embedding, Gallery, Hit } from "./avse-web/index.js";
import type { Session } from "./session.js";
import { codeOf } from "./words.js";

/** Pause in typing after which a sentence is looked up, in milliseconds. */
export const PAUSE = 120;

/** How long the page may take to show an answer, in milliseconds. */
const SETTLED = 400;

/** Pictures that fill whole rows of three and of nine columns, the first one being four times as large. */
const PICTURES = 24;
const CAPTIONS = 10;
const SIMILAR = 12;
const OWN = 9;

/** What is asked. */
export type Question = { kind: "sentence"; text: string } | { kind: "picture"; source: Blob; name: string };

/** Hits of one gallery. */
export interface Group {
  gallery: Gallery;
  hits: Hit[];
  /** What the best possible score would be. */
  best: number;
}

/** Seconds of the last question. */
export interface Timing {
  encode: number;
  search: number;
  /** As the visitor waited for it, without the pause in typing. */
  total: number;
}

/** The answer to a question. */
export interface Answer {
  question: Question;
  query: Embedding;
  pictures: Group;
  captions: Group | null;
  own: Group | null;
  timing: Timing;
}

/** Who is told. */
export interface Listener {
  answered(answer: Answer): void;
  /** The last answer once more: how long it takes when everything is warm. */
  timed(timing: Timing): void;
  failed(question: Question, error: unknown): void;
  /** A question has begun (`true`) or none is left (`false`). */
  busy(busy: boolean): void;
}

/** Asks the session. */
export class Finder {
  /** The visitor's own pictures, when there are any. */
  own: Gallery | null = null;
  private current: AbortController | null = null;
  private question: Question | null = null;
  private timer = 0;
  private answering: Promise<unknown> = Promise.resolve();
  /** Models that have answered a question of a kind before: a first one compiles what it runs, and its time says little. */
  private readonly warm: Record<Question["kind"], WeakSet<object>> = { sentence: new WeakSet(), picture: new WeakSet() };

  constructor(
    private readonly session: Session,
    private readonly listener: Listener,
  ) {}

  /** The question that is under way. */
  get asked(): Question | null {
    return this.question;
  }

  /** Waits for the answer to what has been asked, or until that is given up. */
  async quiet(): Promise<void> {
    await this.answering;
  }

  /** Asks at once, or after a pause that a further question starts anew. */
  ask(question: Question, pause = 0): void {
    this.stop();
    const current = new AbortController();
    this.current = current;
    this.question = question;
    this.listener.busy(true);
    if (pause === 0) void this.run(question, current);
    else this.timer = setTimeout(() => void this.run(question, current), pause);
  }

  /** Gives up the question that is under way. */
  stop(): void {
    clearTimeout(this.timer);
    this.current?.abort();
    this.current = this.question = null;
    this.listener.busy(false);
  }

  private async run(question: Question, current: AbortController): Promise<void> {
    try {
      const answering = this.answer(question, current.signal);
      this.answering = answering.catch(() => undefined);
      const answer = await answering;
      if (this.current !== current) return;
      this.listener.answered(answer);
      const { avse } = await this.session.whenReady(current.signal);
      if (this.warm[question.kind].has(avse)) return;
      this.warm[question.kind].add(avse);
      this.listener.busy(false);
      // Once more, for the time that the next questions take, when the page has painted the answer.
      await new Promise((done) => setTimeout(done, SETTLED));
      if (this.current !== current) return;
      const again = await this.answer(question, current.signal).catch(() => null);
      if (again && this.current === current) this.listener.timed(again.timing);
    } catch (error) {
      // Only a question that was given up here may go without a word.
      if (this.current === current) this.listener.failed(question, error);
    } finally {
      if (this.current === current) {
        this.current = this.question = null;
        this.listener.busy(false);
      }
    }
  }

  private async answer(question: Question, signal: AbortSignal): Promise<Answer> {
    const { avse, pictures, captions } = await this.session.whenReady(signal);
    const began = performance.now();
    const query =
      question.kind === "sentence"
        ? await avse.encodeText(question.text, { signal })
        : await avse.encodeImage(question.source, { signal });
    let search = 0;
    const group = async (gallery: Gallery, k: number): Promise<Group> => {
      const result = await avse.search(gallery, query, { k, signal });
      search += result.seconds.search;
      const cross = gallery.info.kind !== query.kind;
      return { gallery, hits: result.hits, best: cross ? avse.info.captionBlocks : avse.info.imageBlocks };
    };
    const sentence = question.kind === "sentence";
    const found = await group(pictures, sentence ? PICTURES : SIMILAR);
    const mine = this.own;
    const own = mine && mine.size > 0 ? await group(mine, OWN).catch(unlessDeleted) : null;
    const worked = performance.now() - began;
    // The captions may still be on their way; waiting for them is no part of the time taken.
    const sentences = sentence ? null : await captions();
    const resumed = performance.now();
    const said = sentences && (await group(sentences, CAPTIONS));
    const total = (worked + performance.now() - resumed) / 1000;
    return { question, query, pictures: found, captions: said, own, timing: { encode: query.seconds, search, total } };
  }
}

/** The visitor may delete all own pictures while they are searched: then there are none. */
function unlessDeleted(error: unknown): null {
  if (codeOf(error) === "disposed") return null;
  throw error;
}
