// All tests in one process, one browser and one tiny model: `node --test tests/browser/main.test.mjs`. Each of these
// files also runs alone: `node --test tests/browser/scores.mjs`.

import "./scores.mjs";
import "./page.mjs";
import "./loading.mjs";
import "./offline.mjs";
