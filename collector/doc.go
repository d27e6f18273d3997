// Package collector takes pageviews over HTTP, checks them, appends them to the
// queue, and answers when the queue has them durably: an acknowledged pageview
// is never lost.
//
//	POST /api/v1/pageviews   one JSON object, an array, or JSON lines
//	POST /api/event          what Plausible's trackers send
//	GET  /js/script.js       a tracker of our own
//	GET  /demo/              a page that uses it
//
// Many requests share one synced append: the queue gathers what arrives while
// it writes, so a request is its connection's goroutine that waits, and no more.
//
// # Bots
//
// With [Config].DropBots, an event whose user agent is a bot's (package bots) is
// not taken. It is neither accepted nor rejected: the answer counts it by the
// kind of bot, and /api/event answers with the header X-Plausible-Dropped. An
// API client's own User-Agent header says nothing about its visitors: at
// /api/v1/pageviews only the event's user_agent is looked at, and at /api/event
// a header that names an HTTP library is taken for the client, not for a visitor.
// ?bots=keep and ?bots=drop override the setting for a request; an import has
// asked its own list already.
//
// # Sending again
//
// A client that gets 429, 503, or no answer sends the same body again, with the
// same nonces: what was appended already is a duplicate then, and counts once.
// A batch of which a part could not be appended is answered as a whole, so that
// the client sends it all again. A pageview without a nonce gets one from the
// collector, another one each time, and so may count twice if it is sent again.
// That holds for Plausible's trackers too; our own script sends a nonce.
//
// A pageview without a ts gets the collector's clock. The first one in the log
// counts, whatever ts a second one with its nonce has.
//
// # Bounds
//
// [Limits] bound the body (as unpacked), the events of a request, and the bytes
// of all requests together. Behind the last, and when the queue holds as much as
// it may, the answer is 429 with Retry-After: nothing waits in memory.
package collector
