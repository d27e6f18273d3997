// Package dashboard is the page at GET /: one HTML document with its modules,
// styles, chart library and font, all inside the binary.
//
// It is a client of the HTTP API like any other and knows nothing that the API
// does not tell. It requests the answers for the domain over a range, draws them, and
// requests them again when the stream of server-sent events at /api/v1/live reports
// that more is covered. Its address contains what it shows (domain, range, page). So
// an address can be shared, and the back button of the browser works.
//
// The files are in web/, written by hand and served unchanged, without a build step or
// Node. web/vendor contains files written by others (see its NOTICE.md).
//
// Nothing on the page needs an inline script or style. So the policy that is sent with
// it allows none, and nothing from another origin. uPlot sets styles only through the
// CSSOM, which such a policy allows.
package dashboard
