// The page opened from disk, where browsers load no modules: it says so instead of waiting for ever.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { open, PATIENCE } from "./support/browser.mjs";
import { SITE } from "./support/paths.mjs";
import { site } from "./support/server.mjs";

test("the page says that it was opened from disk, and what to do", { timeout: 2 * PATIENCE }, async (t) => {
  const page = await open(t, pathToFileURL(join(SITE, "index.html")).href);
  const note = page.getByText(/opened from disk/);
  assert.ok(await note.isVisible(), "the page does not say why nothing happens");
  assert.ok(await page.getByText(/web server/).isVisible(), "nor what to do");
  const server = await site(t);
  await page.goto(server.url);
  assert.ok(await note.isHidden(), "from a server it says nothing of the kind");
});
