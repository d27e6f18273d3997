// Package dashboard is the page at GET /: one HTML document with its own
// modules, styles, chart library and font, all inside the binary.
//
// It is a client of the HTTP API like any other and knows nothing that the API
// does not tell: it asks for the domain's answers over a range, draws them, and
// asks again when the stream of server-sent events at /api/v1/live says that
// more is covered. What it shows is in its address (domain, range, page), so an
// address can be shared and the browser's back button works.
//
// The files are in web/, written by hand and served as they are: no step that
// builds them, no Node. web/vendor holds what others wrote (see its NOTICE.md).
//
// Nothing on the page needs an inline script or style, so the policy that is
// sent with it allows none, and nothing of another origin. uPlot sets styles
// through the CSSOM only, which such a policy allows.
package dashboard
