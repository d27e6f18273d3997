// Package bots says which user agents name themselves as bots, by the list of
// the project crawler-user-agents (github.com/monperrus/crawler-user-agents,
// version 1.60.0, MIT licence): its patterns, one a line, in patterns.txt.
package bots

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

//go:embed patterns.txt
var patterns string

// compiled is the whole list as one expression, made when first needed.
var compiled = sync.OnceValue(func() *regexp.Regexp {
	lines := strings.Split(strings.TrimSpace(patterns), "\n")
	re, err := regexp.Compile("(?:" + strings.Join(lines, ")|(?:") + ")")
	if err != nil {
		panic(fmt.Sprintf("bots: patterns.txt: %v", err)) // a test compiles it
	}
	return re
})

// maxCached bounds the answers kept: a log has few user agents many times.
const maxCached = 10_000

// Matcher remembers its answers. Its zero value is ready; it is not for
// concurrent use.
type Matcher struct {
	cache map[string]bool
}

// IsBot reports whether a user agent is one of the list. No user agent is none.
func (m *Matcher) IsBot(userAgent []byte) bool {
	if bot, ok := m.cache[string(userAgent)]; ok {
		return bot
	}
	if m.cache == nil || len(m.cache) >= maxCached {
		m.cache = make(map[string]bool)
	}
	bot := compiled().Match(userAgent)
	m.cache[string(userAgent)] = bot
	return bot
}
