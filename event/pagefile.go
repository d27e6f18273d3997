package event

import (
	"bytes"
	"strings"
)

// IsPage reports whether the last segment of a url's path looks like that of a
// page, not of an image or a feed: it has no extension, or one of html, htm,
// xhtml, php, asp, aspx, jsp in any case. The path is looked at after it is
// normalised, but before slashes at its end are dropped; the extension is what
// follows the last dot, a leading dot included. Errors are those of AppendPage.
func IsPage(raw []byte) (bool, error) {
	if page, ok := cleanPage(nil, raw); ok {
		path := raw
		if end := bytes.IndexAny(path, "?#"); end >= 0 {
			path = path[:end]
		}
		// A page's path is the url's without slashes at the end; a url without
		// a path has no extension either.
		return path[len(path)-1] == '/' || isPageFile(string(page)), nil
	}
	if _, err := parsePage(raw); err != nil {
		return false, err
	}
	_, path, err := parseURL(raw)
	return err == nil && isPageFile(path), err
}

// isPageFile looks at what is after the last slash of a page or path.
func isPageFile(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	dot := strings.LastIndexByte(last, '.')
	if dot < 0 {
		return true
	}
	switch strings.ToLower(last[dot+1:]) {
	case "html", "htm", "xhtml", "php", "asp", "aspx", "jsp":
		return true
	}
	return false
}
