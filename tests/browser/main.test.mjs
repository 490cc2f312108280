// All tests in one process, with one browser and one tiny model: `node --test tests/browser/main.test.mjs`. Each of
// these files also runs alone: `node --test tests/browser/scores.mjs`.

import "./scores.mjs";
import "./page.mjs";
import "./fit.mjs";
import "./access.mjs";
import "./loading.mjs";
import "./broken.mjs";
import "./offline.mjs";
import "./hostile.mjs";
import "./own.mjs";
import "./loss.mjs";
import "./trial.mjs";
import "./instances.mjs";
import "./freeze.mjs";
import "./origin.mjs";
import "./disk.mjs";
import "./package.mjs";
