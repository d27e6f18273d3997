// Package bots tells which user agents are bots, and of which kind.
//
// Three lists are asked, in this order: a short one of our own with health
// checks and libraries (own.txt), crawler-user-agents
// (github.com/monperrus/crawler-user-agents, version 1.67.0, MIT licence), and
// CrawlerDetect (as in the PyPI package crawlerdetect 0.4.2, MIT licence; three
// patterns are rewritten to what means the same, for speed or for RE2). Before them come the operator's own patterns, if
// any. Each list names bots that the others do not.
package bots
