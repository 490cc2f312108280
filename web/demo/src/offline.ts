// The page's own files, kept by a service worker for visits without a network.

/** Registers the service worker; `ready` is called once it holds the page. Without one (plain http, private windows) the page just needs the network. */
export async function keepShell(ready: () => void): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("sw.js", { scope: "./" });
    await navigator.serviceWorker.ready;
    ready();
  } catch {
    return;
  }
}
