package oracle

import "slices"

// visitGap is the longest pause between two views of one visit, in ms.
const visitGap = 30 * 60 * 1000

const hourMS = 60 * 60 * 1000

// visitKey says whose visits, and where.
type visitKey struct{ domain, person string }

// visit is a remembered run of views, each at most visitGap after the one before.
type visit struct {
	key        visitKey
	start, end int64 // ms of the first and the last view
	many       bool  // more than one view, so no bounce
	touch      touch
	forgotten  bool
}

// touch is when a visit was last seen: which touch of all it was, and log time.
type touch struct{ number, logTime int64 }

// visitMemory is all that is remembered of visits.
type visitMemory struct {
	byKey   map[visitKey][]*visit
	count   int
	touches int64
	queue   []queuedVisit // in the order of touching; only a visit's newest entry counts
}

type queuedVisit struct {
	v      *visit
	number int64
}

// delta is what one view changes in one hour's bounce cell.
type delta struct{ visits, bounces int64 }

// view takes one view of a domain by a person at ms t and returns the changes
// by hour; hours whose changes cancel out are left out.
func (m *visitMemory) view(k visitKey, t, logTime, window int64, bound int) map[int32]delta {
	m.forgetBefore(logTime - window)
	out := map[int32]delta{}
	add := func(ms, visits, bounces int64) {
		h := hourOf(ms)
		out[h] = delta{out[h].visits + visits, out[h].bounces + bounces}
	}
	var near []*visit // by start
	for _, v := range m.byKey[k] {
		if v.start-visitGap <= t && t <= v.end+visitGap {
			near = append(near, v)
		}
	}
	slices.SortFunc(near, func(a, b *visit) int { return int(a.start - b.start) })

	if len(near) == 0 {
		add(t, 1, 1)
		v := &visit{key: k, start: t, end: t}
		m.byKey[k] = append(m.byKey[k], v)
		m.count++
		m.touch(v, logTime)
	} else {
		// What was several visits is one now: all they had is taken back, then
		// the visit that they make together is counted.
		for _, v := range near {
			add(v.start, -1, 0)
			if !v.many {
				add(v.start, 0, -1)
			}
		}
		joined := near[0]
		for _, v := range near[1:] {
			joined.end = max(joined.end, v.end)
			m.forget(v)
		}
		joined.start, joined.end, joined.many = min(joined.start, t), max(joined.end, t), true
		add(joined.start, 1, 0)
		m.touch(joined, logTime)
	}
	for m.count > bound {
		m.forget(m.oldest())
	}
	for h, d := range out {
		if d == (delta{}) {
			delete(out, h)
		}
	}
	return out
}

func (m *visitMemory) touch(v *visit, logTime int64) {
	m.touches++
	v.touch = touch{m.touches, logTime}
	m.queue = append(m.queue, queuedVisit{v, m.touches})
}

// oldest is the visit touched longest ago, nil if none is remembered.
func (m *visitMemory) oldest() *visit {
	for len(m.queue) > 0 {
		q := m.queue[0]
		if !q.v.forgotten && q.v.touch.number == q.number {
			return q.v
		}
		m.queue = m.queue[1:]
	}
	return nil
}

func (m *visitMemory) forgetBefore(logTime int64) {
	for v := m.oldest(); v != nil && v.touch.logTime < logTime; v = m.oldest() {
		m.forget(v)
	}
}

func (m *visitMemory) forget(v *visit) {
	v.forgotten = true
	m.count--
	rest := slices.DeleteFunc(m.byKey[v.key], func(o *visit) bool { return o == v })
	if m.byKey[v.key] = rest; len(rest) == 0 {
		delete(m.byKey, v.key)
	}
}

// oldestTime is the log time of the visit touched longest ago; 0 with none.
func (m *visitMemory) oldestTime() int64 {
	if v := m.oldest(); v != nil {
		return v.touch.logTime
	}
	return 0
}

func hourOf(ms int64) int32 { return int32(ms / hourMS) }
