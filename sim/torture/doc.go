// Package torture kills the running system, again and again, while clients post
// to it, and then asks whether it kept its promise: what was acknowledged is
// counted exactly once.
//
// Clients do what good clients do: each pageview has a nonce, and a request
// that was not acknowledged is sent again as it was, until it is. Some send a
// pageview again that was acknowledged already, with another url and time: the
// first counts. They write down what was acknowledged ([Ledger]).
//
// A [Plan] reports when to kill: while the system works, right after it listens,
// or before, in the middle of its recovery. It is made from the seed; what else
// happens, the operating system decides, so a run with the same seed is alike
// but not the same.
//
// At the end the system is stopped gracefully, everything it counted is
// exported and compared with the ledger, and checked with its own log (package
// verify). A quarter of the pageviews have a page of their own: so a pageview
// lost and another one counted twice cannot cancel out.
//
// What is tortured is a [System]: [Process] runs the real program.
package torture
