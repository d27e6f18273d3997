// Package browser starts a headless Chromium for tests, and sees that nothing
// of it is left when the test ends: no process, no profile.
//
// Chromium is what Debian packages as "chromium"; only PATH is searched. Where
// there is none a test is skipped, loudly; with CI=true it fails instead, so
// that a green run means that the pages were really looked at.
package browser
