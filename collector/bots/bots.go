package bots

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

//go:embed own.txt
var ownText string

//go:embed crawler-user-agents.txt
var crawlersText string

//go:embed crawlerdetect.txt
var detectText string

//go:embed exclusions.txt
var exclusionsText string

// Kind is what a user agent is taken for. The lists name about a dozen kinds.
type Kind string

// Kinds that the code refers to; the others are in the lists.
const (
	None    Kind = ""             // not a bot
	Library Kind = "http-library" // a program that sends requests: curl, python-requests
	Pattern Kind = "bot-pattern"  // one of the operator's patterns
	Crawler Kind = "crawler"      // CrawlerDetect does not report which kind
)

// maxAgent bounds the part of a user agent that is looked at, in bytes.
const maxAgent = 1024

// List is a set of patterns. It is safe for concurrent use.
type List struct {
	operator, known, detect *index
	exclusions              *regexp.Regexp
}

// Default returns the list without patterns of the operator. It is compiled at
// the first call.
func Default() *List { return defaultList() }

var defaultList = sync.OnceValue(func() *List {
	l := &List{operator: newIndex(), known: newIndex(), detect: newIndex()}
	for _, text := range []string{ownText, crawlersText} {
		for line := range lines(text) {
			kind, pattern, _ := strings.Cut(line, "\t")
			l.known.mustAdd(Kind(kind), pattern)
		}
	}
	for line := range lines(detectText) {
		l.detect.mustAdd(Crawler, "(?i)"+line)
	}
	var all []string
	for line := range lines(exclusionsText) {
		all = append(all, line)
	}
	l.exclusions = regexp.MustCompile("(?i)(?:" + strings.Join(all, "|") + ")") // a test compiles it
	return l
})

// lines yields the lines of a text that are not empty and not comments.
func lines(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if strings.TrimSpace(line) != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

// With returns a list that has the operator's patterns besides. They are read
// from r: regular expressions (RE2), one a line; empty lines and lines that
// begin with # are skipped. An error names the line.
func (l *List) With(r io.Reader) (*List, error) {
	with := *l
	with.operator = newIndex()
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := with.operator.add(Pattern, line); err != nil {
			return nil, fmt.Errorf("line %d: %w: allowed is a regular expression (RE2), one a line", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	return &with, nil
}

// Kind returns what a user agent is taken for. A missing user agent is not a
// bot.
func (l *List) Kind(userAgent []byte) Kind {
	if len(userAgent) > maxAgent {
		userAgent = userAgent[:maxAgent]
	}
	if len(userAgent) == 0 {
		return None
	}
	for _, ix := range []*index{l.operator, l.known} {
		if kind := ix.kind(userAgent); kind != None {
			return kind
		}
	}
	// CrawlerDetect matches short words, so its authors first remove the parts
	// that browsers have. That is slow, and needed only if there is a match.
	if l.detect.kind(userAgent) == None {
		return None
	}
	return l.detect.kind(bytes.TrimSpace(l.exclusions.ReplaceAll(userAgent, nil)))
}
