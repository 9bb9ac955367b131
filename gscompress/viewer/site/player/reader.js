// The frames of a clip one after the other, from any one on, as changes of what was before.

import { FetchError } from "../download.js";
import { GszError } from "../gsz/errors.js";
import { decodeGsz } from "../gsz/scene.js";
import { GroupDecoder, KeyFrame } from "../stream/group.js";
import { groupOf } from "../stream/manifest.js";
import { sha256 } from "../stream/sha256.js";
import { selected, widthsOf } from "../stream/slots.js";

const UNSEEN = -80; // opacity logit of what is in empty slots
const POLL = 1000; // ms between looks for more of a clip that is still being encoded

export class ClipReader {
  // fetchFile: gives the bytes of a file by its url, or throws FetchError; told {size}, and {again}
  // where those that came are not the right ones; refresh: gives the manifest as it is now; session:
  // as Pool has it.
  constructor(manifest, { fetchFile, refresh, session }) {
    Object.assign(this, { manifest, fetchFile, refresh, session });
    this.files = new Map(); // what was asked for ahead, by url
    this.keys = new Map(); // this group's and the next one's, by number
  }

  // Gives for each frame {number, bytes, milliseconds, gaussians} and the Gaussians: as {scene}
  // those in all slots, or as {slots, part} those in slots that changed since the frame before.
  // What cannot be decoded is told as {lost: first frame, error}; the next key frame follows. For a
  // frame before `from` there is {skipped}. loops: tells at the end whether to begin anew.
  async *frames(from, loops = () => false) {
    this.files.clear();
    let wanted = from;
    let barren = 0; // groups without any frame, one after the other
    for (let group = groupOf(this.manifest, from); barren < this.manifest.groups.length; ) {
      ++barren;
      for await (const frame of this.#group(group, wanted, loops)) {
        if (frame.number !== undefined) barren = 0;
        yield frame;
      }
      group = this.#next(group, loops);
      if (group === null) return;
      wanted = this.manifest.groups[group].first;
    }
  }

  // The frames of a group from `wanted` on.
  async *#group(group, wanted, loops) {
    let number = this.manifest.groups[group].first; // of the frame to come
    let url = "";
    try {
      const key = this.manifest.groups[group].segments[0];
      ({ url } = key);
      const { frame, milliseconds } = await this.#key(group);
      this.#prepare(this.#next(group, loops), group);
      const decoder = new GroupDecoder(frame);
      if (number < wanted) yield { skipped: number };
      else yield { number, bytes: key.bytes, milliseconds, ...all(decoder) };
      ++number;
      for (let k = 1, segment; (segment = await this.#segment(group, k)) !== null; ++k) {
        ({ url } = segment);
        const bytes = await this.#file(segment);
        this.#ask(this.manifest.groups[group].segments[k + 1]);
        for (const step of stepsOf(decoder, bytes, segment)) {
          if (number < wanted) yield { skipped: number };
          else yield { number, ...step, ...(number > wanted ? changes : all)(decoder, step) };
          ++number;
        }
      }
    } catch (error) {
      if (!(error instanceof GszError || error instanceof FetchError)) throw error;
      yield { lost: Math.max(number, wanted), error: `${url}: ${error.message}` };
    }
  }

  // The group after one; null: that is the end.
  #next(group, loops) {
    if (group + 1 < this.manifest.groups.length) return group + 1;
    return loops() ? 0 : null;
  }

  // Segment k of a group, which may have to be waited for; null: it has no more.
  async #segment(group, k) {
    for (;;) {
      const { groups, complete } = this.manifest;
      if (k < groups[group].segments.length) return groups[group].segments[k];
      if (complete || group + 1 < groups.length) return null;
      await new Promise((resolve) => { setTimeout(resolve, POLL); });
      const now = await this.refresh().catch(() => this.manifest);
      if (now.frames >= this.manifest.frames) this.manifest = now;
    }
  }

  // A key frame, decoded once as long as it is this group's or the next one's.
  async #key(group) {
    this.#prepare(group);
    try {
      return await this.keys.get(group);
    } catch (error) {
      this.keys.delete(group);
      throw error;
    }
  }

  // Begin to decode a group's key frame; keep that and the one of the group `also`.
  #prepare(group, also = group) {
    if (group === null) return;
    for (const other of this.keys.keys()) {
      if (other !== group && other !== also) this.keys.delete(other);
    }
    if (this.keys.has(group)) return;
    const decoded = this.#decodeKey(this.manifest.groups[group].segments[0]);
    decoded.catch(() => {}); // told when the key frame is wanted
    this.keys.set(group, decoded);
  }

  async #decodeKey(segment) {
    const bytes = await this.#file(segment);
    const started = performance.now();
    const session = this.session();
    const scene = await decodeGsz(bytes, session.open).finally(session.close);
    for (const [name, found, expected] of [
      ["sh_degree", scene.shDegree, this.manifest.sh_degree],
      ["mode", scene.mode, this.manifest.mode],
    ]) {
      if (found !== expected) throw new GszError(name, found, `${expected}, as the clip`);
    }
    const frame = new KeyFrame(scene);
    return { frame, milliseconds: performance.now() - started };
  }

  // The bytes of a segment, checked; fetched once more if they are not the right ones.
  async #file(segment) {
    this.#ask(segment);
    const asked = this.files.get(segment.url);
    this.files.delete(segment.url);
    try {
      return await checked(segment, await asked);
    } catch (error) {
      if (!(error instanceof GszError)) throw error;
      const { url, bytes: size } = segment;
      return checked(segment, await this.fetchFile(url, { size, again: true }));
    }
  }

  // Begin to fetch a segment.
  #ask(segment) {
    if (segment === undefined || this.files.has(segment.url)) return;
    const asked = this.fetchFile(segment.url, { size: segment.bytes, again: false });
    asked.catch(() => {}); // told when the file is wanted
    this.files.set(segment.url, asked);
  }
}

async function checked(segment, bytes) {
  if (bytes.length !== segment.bytes) throw new GszError("length", bytes.length, segment.bytes);
  const digest = await sha256(bytes);
  if (digest !== segment.sha256) throw new GszError("sha256", digest, segment.sha256);
  return bytes;
}

// Decodes a segment frame by frame: {changed, dead, bytes, milliseconds}.
function* stepsOf(decoder, data, segment) {
  const bytes = segment.bytes / segment.frames;
  let count = 0;
  let started = performance.now();
  for (const { changed, dead } of decoder.advance(data)) {
    if (++count > segment.frames) throw new GszError("frames", "more", segment.frames);
    yield { changed, dead, bytes, milliseconds: performance.now() - started };
    started = performance.now();
  }
  if (count < segment.frames) throw new GszError("frames", count, segment.frames);
}

// All of a frame as the page gets it.
function all({ now, alive }) {
  const scene = { ...now };
  for (const name of Object.keys(widthsOf(now.shDegree))) scene[name] = now[name].slice();
  alive?.forEach((one, slot) => {
    if (!one) scene.opacityLogits[slot] = UNSEEN;
  });
  return { gaussians: countOf(now, alive), scene };
}

// What changed, as the page gets it.
function changes({ now, alive }, { changed, dead }) {
  const slots = new Int32Array(changed.length + dead.length);
  slots.set(changed);
  slots.set(dead, changed.length);
  const part = selected(now, slots);
  part.opacityLogits.fill(UNSEEN, changed.length);
  return { gaussians: countOf(now, alive), slots, part };
}

function countOf(now, alive) {
  return alive === null ? now.count : alive.reduce((sum, one) => sum + one, 0);
}
