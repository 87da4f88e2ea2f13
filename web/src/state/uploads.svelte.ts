/* SPDX-License-Identifier: Apache-2.0 */
/* uploads: captures on their way to the aggregator. They go on while other pages are looked at. */
import { ApiError, api } from '../api/client';

const PIECE = 1024 * 1024;
const AGAIN_MS = 1000;
const TRIES = 30;

export interface Upload {
  /** Of the import. */
  id: number;
  name: string;
  size: number;
  sent: number;
  error: string;
}

const wait = (ms: number) => new Promise<void>((done) => { setTimeout(done, ms); });

class Uploads {
  list = $state<Upload[]>([]);

  /** Hands in files as one import and sends them; its number, as soon as there is one. */
  async start(files: File[], site: string | null): Promise<number> {
    const { id, name, size } = await api.addImport({ files: files.map((f) => ({ name: f.webkitRelativePath || f.name, size: f.size })), site });
    this.list.push({ id, name, size, sent: 0, error: '' });
    const upload = this.list.find((u) => u.id === id);
    if (upload && size > 0) void this.#send(upload, new Blob(files));
    return id;
  }

  forget(id: number): void {
    this.list = this.list.filter((u) => u.id !== id);
  }

  /* A piece that did not get through is sent again, from where the aggregator has got to. */
  async #send(upload: Upload, whole: Blob): Promise<void> {
    for (let tries = 0; upload.sent < upload.size;) {
      try {
        const { received } = await api.putImport(upload.id, upload.sent, whole.slice(upload.sent, upload.sent + PIECE));
        upload.sent = received;
        tries = 0;
      } catch (error) {
        tries += 1;
        const passes = error instanceof ApiError && [0, 409, 503].includes(error.status);
        if (!this.list.includes(upload)) return;
        if (!passes || tries > TRIES) {
          upload.error = error instanceof Error ? error.message : String(error);
          return;
        }
        await wait(AGAIN_MS);
        upload.sent = await api.import(upload.id).then(({ imports: [i] }) => i?.progress?.received ?? upload.sent, () => upload.sent);
      }
    }
    this.forget(upload.id);
  }
}

export const uploads = new Uploads();
