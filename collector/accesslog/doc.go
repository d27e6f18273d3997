// Package accesslog reads lines of web servers' access logs, in the common and
// the combined format, and says which are pageviews.
//
// A pageview is a GET with status 200-299 or 304 whose last path segment has no
// extension or one of those that pages have. The rules are in docs/design.md,
// "Lines of access logs".
package accesslog
