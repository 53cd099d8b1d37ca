// SPDX-License-Identifier: Apache-2.0
/** Tells when files below some folders have changed, once they are quiet again. */

/**
 * How long the folders must be quiet, in milliseconds: files that belong together are replaced one after the other, and a
 * Kubernetes secret or config map by several renames.
 */
const SETTLE_MS = 200;

export interface FolderWatchOptions {
  readonly recursive: boolean;
  /** Something has changed, and nothing more for a moment. */
  onQuiet(): void;
  /** The watch ended by itself, for instance because a folder is gone. */
  onError(error: unknown): void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Watches folders, not files: a Kubernetes secret or config map is a symbolic link that is exchanged beside them.
 *
 * @throws {Deno.errors.NotFound} when one of them does not exist.
 */
export function watchFolders(folders: readonly string[], o: FolderWatchOptions): void {
  const { recursive, onQuiet, onError, signal } = o;
  if (signal.aborted) return;
  const watcher = Deno.watchFs([...new Set(folders)], { recursive });
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    watcher.close();
  }, { once: true });
  (async () => {
    for await (const event of watcher) {
      if (event.kind === "access" || signal.aborted) continue;
      clearTimeout(timer);
      timer = setTimeout(onQuiet, SETTLE_MS);
    }
  })().catch((error) => {
    if (!signal.aborted) onError(error);
  });
}
