package oracle

// pair is what makes two records the same pageview.
type pair struct{ nonce, person string }

type remembered struct {
	pair    pair
	logTime int64
}

// dedupeMemory remembers pairs, oldest in the log first.
type dedupeMemory struct {
	pairs map[pair]bool
	queue []remembered
}

// isNew reports whether a pair is not remembered, and remembers it.
func (m *dedupeMemory) isNew(p pair, logTime, window int64, bound int) bool {
	for len(m.queue) > 0 && m.queue[0].logTime < logTime-window {
		m.forgetOldest()
	}
	if m.pairs[p] {
		return false
	}
	m.pairs[p] = true
	m.queue = append(m.queue, remembered{p, logTime})
	for len(m.queue) > bound {
		m.forgetOldest()
	}
	return true
}

func (m *dedupeMemory) forgetOldest() {
	delete(m.pairs, m.queue[0].pair)
	m.queue = m.queue[1:]
}

// oldest is the log time of the oldest pair; 0 with none.
func (m *dedupeMemory) oldest() int64 {
	if len(m.queue) == 0 {
		return 0
	}
	return m.queue[0].logTime
}
