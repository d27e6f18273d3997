package bots

import "sync"

// maxCached bounds the answers kept: a site sees few user agents many times.
const maxCached = 10_000

// Matcher asks a list and remembers its answers. It is safe for concurrent use.
// The zero value asks the default list.
type Matcher struct {
	// List is asked; nil is the default list. It must not change after the first
	// call.
	List *List

	mu struct {
		sync.RWMutex
		kinds map[string]Kind
	}
}

// IsBot reports whether a user agent is a bot.
func (m *Matcher) IsBot(userAgent []byte) bool { return m.Kind(userAgent) != None }

// Kind is List.Kind.
func (m *Matcher) Kind(userAgent []byte) Kind {
	if len(userAgent) == 0 {
		return None
	}
	if len(userAgent) > maxAgent {
		userAgent = userAgent[:maxAgent]
	}
	m.mu.RLock()
	kind, ok := m.mu.kinds[string(userAgent)]
	m.mu.RUnlock()
	if ok {
		return kind
	}
	l := m.List
	if l == nil {
		l = Default()
	}
	kind = l.Kind(userAgent)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.kinds == nil || len(m.mu.kinds) >= maxCached {
		m.mu.kinds = make(map[string]Kind)
	}
	m.mu.kinds[string(userAgent)] = kind
	return kind
}
