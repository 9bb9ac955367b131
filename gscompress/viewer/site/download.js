// Downloads that go on where they broke off, for pages, workers and node.

export const PATIENCE = {
  silence: 15000, // ms without a byte after which a connection is broken
  attempts: 8, // in a row that bring nothing
  firstPause: 100, // ms before the second attempt; each further one doubles it
  longestPause: 5000, // ms
};

const AGAIN = [408, 425, 429]; // of the refusals those that are not meant for good
const MOST_TOLD = 300; // characters of what a server says

// A file that does not arrive.
export class FetchError extends Error {}

// One that there is no point in asking for again.
class Refused extends FetchError {}

// A file on its way, given out in order; no byte twice, however often the connection breaks.
export class Download {
  // size: where it is known, how many bytes there are; counts: {retries, resumed}, which grow;
  // cache: as fetch takes it.
  constructor(url, { size = null, cache = "default", counts = null, patience = PATIENCE } = {}) {
    Object.assign(this, { url, size, cache, patience });
    this.counts = counts ?? { retries: 0, resumed: 0 };
    this.total = null; // as the host says
    this.received = 0;
    this.skipped = 0; // bytes to pass over: a host that knows no ranges begins anew
    this.tag = null;
    this.whole = true; // whether ranges are of these bytes, not of compressed ones
    this.reader = null;
    this.abort = null;
    this.failures = 0;
  }

  // Until the host has answered. Gives the number of bytes; null: it does not say.
  async open() {
    await this.#persist(() => this.#ask());
    return this.total;
  }

  // The bytes, as they come. Throws FetchError where they do not.
  async *chunks() {
    for (let chunk; (chunk = await this.#persist(() => this.#next())) !== null; ) yield chunk;
  }

  // All bytes; if there are more than there should be, those and some more.
  async bytes() {
    const chunks = [];
    for await (const chunk of this.chunks()) {
      chunks.push(chunk);
      if (this.size !== null && this.received > this.size) break;
    }
    this.cancel();
    const out = new Uint8Array(this.received);
    let at = 0;
    for (const chunk of chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }

  cancel() {
    this.#drop();
  }

  async #persist(attempt) {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        this.#drop();
        if (error instanceof Refused) throw error;
        if (++this.failures >= this.patience.attempts) {
          throw new FetchError(`${error.message}, ${this.failures} times`);
        }
      }
      const pause = this.patience.firstPause * 2 ** (this.failures - 1);
      await new Promise((resolve) => {
        setTimeout(resolve, Math.min(pause, this.patience.longestPause));
      });
      ++this.counts.retries;
    }
  }

  // The next bytes; null: that was all.
  async #next() {
    for (;;) {
      if (!this.reader) await this.#ask();
      const { done, value } = await this.#timed(() => this.reader.read());
      if (done) {
        const all = this.total ?? this.size ?? this.received;
        if (this.received < all) throw new FetchError(`${this.received} of ${all} bytes`);
        return null;
      }
      const fresh = value.subarray(Math.min(this.skipped, value.length));
      this.skipped -= value.length - fresh.length;
      if (fresh.length === 0) continue;
      this.received += fresh.length;
      this.failures = 0;
      return fresh;
    }
  }

  // Ask for what is not here yet.
  async #ask() {
    const headers = {};
    if (this.received > 0 && this.whole) {
      headers.Range = `bytes=${this.received}-`;
      if (this.tag) headers["If-Range"] = this.tag;
    }
    this.abort = new AbortController();
    const { signal } = this.abort;
    const answer = await this.#timed(() => fetch(this.url, { headers, signal, cache: this.cache }));
    if (answer.status === 416) throw new Refused(`ends at ${this.received} bytes`);
    if (!answer.ok) {
      const text = (await answer.text()).slice(0, MOST_TOLD) || answer.statusText;
      const final = answer.status >= 400 && answer.status < 500 && !AGAIN.includes(answer.status);
      throw new (final ? Refused : FetchError)(text || `status ${answer.status}`);
    }
    this.#begin(answer);
  }

  #begin(answer) {
    const tag = answer.headers.get("ETag");
    if (this.received > 0 && this.tag !== null && tag !== null && tag !== this.tag) {
      throw new Refused("changed while it was on its way");
    }
    this.tag = tag?.startsWith("W/") ? null : tag;
    this.whole = answer.headers.get("Content-Encoding") === null;
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.headers.get("Content-Range") ?? "");
    if (answer.status === 206) {
      if (range && Number(range[1]) !== this.received) throw new Refused("another part of it came");
      if (range) this.total = Number(range[2]);
      this.skipped = 0;
      ++this.counts.resumed;
    } else {
      const length = Number(answer.headers.get("Content-Length"));
      this.total = length > 0 && this.whole ? length : null;
      this.skipped = this.received;
    }
    this.reader = answer.body.getReader();
  }

  async #timed(work) {
    const timer = setTimeout(() => this.abort?.abort(), this.patience.silence);
    try {
      return await work();
    } catch (error) {
      if (!this.abort?.signal.aborted) throw error;
      throw new FetchError(`nothing for ${this.patience.silence / 1000} s`);
    } finally {
      clearTimeout(timer);
    }
  }

  #drop() {
    this.reader?.cancel().catch(() => {});
    this.reader = null;
    this.abort?.abort();
    this.abort = null;
  }
}
