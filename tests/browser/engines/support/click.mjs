// Clicking on pages that draw their lists anew meanwhile.

import { until } from "../../support/browser.mjs";

/** Finds and clicks, once more when the element went in between: `detached` for Puppeteer, `stale` for WebDriver. */
export function clickFound(findAndClick) {
  const attempt = () => findAndClick().then(() => true, (error) => {
    if (/detached|stale/i.test(error.message)) return false;
    throw error;
  });
  return until(attempt, "what is to be clicked never stays");
}
