// Cases that fail today, each with its columns and the reason: [case, [column, …], why]. They run, and one that works
// again fails the test until it is taken off this list.

export const KNOWN = [];
