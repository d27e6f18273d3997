package view

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// naiveVisits does what visitMemory does, without an index, a linked list, or
// any case told apart: a visit is the set of its views, and what a view changes
// is the difference between the sums before and after it.
type naiveVisits struct {
	window int64
	bound  int
	all    []naiveVisit // touched longest ago first
}

type naiveVisit struct {
	key     visitKey
	views   []int64
	touched int64
}

func (v *naiveVisit) start() int64 { return slices.Min(v.views) }
func (v *naiveVisit) end() int64   { return slices.Max(v.views) }

// sums are visits and bounces by hour.
func (n *naiveVisits) sums() map[int32][2]int64 {
	sums := make(map[int32][2]int64)
	for _, v := range n.all {
		s := sums[int32(v.start()/hourMS)]
		s[0]++
		if len(v.views) == 1 {
			s[1]++
		}
		sums[int32(v.start()/hourMS)] = s
	}
	return sums
}

func (n *naiveVisits) view(k visitKey, t, now int64) map[int32][2]int64 {
	n.all = slices.DeleteFunc(n.all, func(v naiveVisit) bool { return v.touched < now-n.window })
	before := n.sums()
	mine := naiveVisit{key: k, views: []int64{t}, touched: now}
	n.all = slices.DeleteFunc(n.all, func(v naiveVisit) bool {
		near := slices.ContainsFunc(v.views, func(u int64) bool { return max(u-t, t-u) <= 30*60*1000 })
		// A view in the midst of a visit is near to one of its views, for they
		// are at most 30 minutes apart.
		if v.key != k || !near {
			return false
		}
		mine.views = append(mine.views, v.views...)
		return true
	})
	n.all = append(n.all, mine)
	changed := n.sums()
	for hour, s := range before {
		c := changed[hour]
		changed[hour] = [2]int64{c[0] - s[0], c[1] - s[1]}
	}
	maps.DeleteFunc(changed, func(_ int32, s [2]int64) bool { return s == [2]int64{} })
	n.all = n.all[max(0, len(n.all)-n.bound):]
	return changed
}

// state is what appendState must write.
func (n *naiveVisits) state() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(n.all)))
	for _, v := range n.all {
		for _, x := range []uint64{v.key.domain, v.key.person, uint64(v.start()), uint64(v.end()), uint64(v.touched)} {
			b = le.AppendUint64(b, x)
		}
		b = append(b, byte(min(len(v.views)-1, 1)))
	}
	return b
}

func TestVisitsAgainstNaive(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		if err := compareVisits(rand.New(rand.NewPCG(seed, 3))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// compareVisits runs random views through both memories: few keys, late and
// early times on a grid on which 30 minutes often lie between two, windows and
// bounds that bite and change, and a restart now and then.
func compareVisits(r *rand.Rand) error {
	window := func() int64 { return r.Int64N(8) * 30 * 60_000 }
	bound := func() int { return 1 + r.IntN(12) }
	naive := naiveVisits{window: window(), bound: bound()}
	m := newVisitMemory(naive.window, naive.bound)
	keys := 1 + r.IntN(5)
	now := int64(1000 * hourMS)
	var got changes
	for i := range 400 {
		switch r.IntN(40) {
		case 0: // as at a marker
			naive.window, naive.bound = window(), bound()
			m.window, m.bound = naive.window, naive.bound
		case 1:
			state := m.appendState(nil)
			m = newVisitMemory(m.window, m.bound)
			if rest, err := m.loadState(state); err != nil || len(rest) > 0 {
				return fmt.Errorf("view %d: state does not load: %v, %d bytes left", i, err, len(rest))
			}
		}
		now += r.Int64N(4) * 10 * 60_000
		t := now - r.Int64N(30)*10*60_000 + r.Int64N(3) - 1
		// Near each other in hash, so that probes of the index collide.
		k := visitKey{domain: uint64(r.IntN(keys)), person: uint64(r.IntN(2))}
		m.view(k, t, now, &got)
		want := naive.view(k, t, now)
		sum := make(map[int32][2]int64)
		for _, c := range got.list[:got.n] {
			if _, twice := sum[c.hour]; twice {
				return fmt.Errorf("view %d: hour %d is there twice in %v", i, c.hour, got)
			}
			if c.visits != 0 || c.bounces != 0 {
				sum[c.hour] = [2]int64{c.visits, c.bounces}
			}
		}
		if !maps.Equal(sum, want) {
			return fmt.Errorf("view %d of %v at %d, log time %d: changes %v, want %v", i, k, t, now, sum, want)
		}
		if a, b := m.appendState(nil), naive.state(); !bytes.Equal(a, b) {
			return fmt.Errorf("view %d of %v at %d, log time %d: state\n%x, want\n%x", i, k, t, now, a, b)
		}
		if m.keys > m.count || len(m.several) > m.count/2 {
			return fmt.Errorf("view %d: %d keys, %d with several, of %d visits", i, m.keys, len(m.several), m.count)
		}
	}
	return nil
}

// A memory that grew far over its first size loses no visit, and gives back
// what it forgets.
func TestVisitsGrow(t *testing.T) {
	const n = 10_000
	m := newVisitMemory(hourMS, n)
	var c changes
	for i := range uint64(3 * n) {
		m.view(visitKey{domain: i % 7, person: i}, int64(i), int64(i), &c)
		if c.n != 1 || c.list[0].visits != 1 {
			t.Fatalf("visit %d is not new: %v", i, c)
		}
	}
	if m.count != n || len(m.visits) > n+1 {
		t.Errorf("%d visits in %d places, want %d", m.count, len(m.visits), n)
	}
	for i := uint64(2 * n); i < 3*n; i++ {
		m.view(visitKey{domain: i % 7, person: i}, int64(i), 3*n, &c)
		if c.n != 1 || c.list[0].visits != 0 || c.list[0].bounces != -1 {
			t.Fatalf("visit %d is forgotten: %v", i, c)
		}
	}
}

// A person with thousands of visits, as in an imported log, keeps a list; it
// stays sorted whatever the order of arrival.
func TestVisitsOfOneKey(t *testing.T) {
	const n = 2000
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	m := newVisitMemory(hourMS, n)
	k := visitKey{1, 2}
	var c changes
	for _, i := range r.Perm(n) {
		m.view(k, int64(i)*hourMS, 0, &c)
	}
	list := m.several[k]
	if m.count != n || len(list) != n {
		t.Fatalf("seed %d: %d visits, %d in the list, want %d", seed, m.count, len(list), n)
	}
	for i, v := range list {
		if m.visits[v].start != int64(i)*hourMS {
			t.Fatalf("seed %d: visit %d of the list starts at %d", seed, i, m.visits[v].start)
		}
	}
	for _, i := range r.Perm(n - 1) { // join each with the next
		m.view(k, int64(i)*hourMS+hourMS/2, 0, &c)
	}
	if m.count != 1 || len(m.several) != 0 || m.visits[m.oldest].end != (n-1)*hourMS {
		t.Errorf("seed %d: %d visits are left, want one", seed, m.count)
	}
}

// stateFront is how many bytes of a state stand before its visits.
var stateFront = len(newPageviews(Settings{}, Limits{}).AppendState(nil)) - 4

// Whatever bytes it is given, LoadState rejects them or becomes a state that
// works and is written as it was read.
func FuzzLoadState(f *testing.F) {
	p := newPageviews(Settings{VisitsWindow: hourMS, VisitsEntries: 4}, Limits{Slots: 8})
	f.Add(p.AppendState(nil))
	var c changes
	for _, at := range []int64{0, 10, 3 * hourMS, 9 * hourMS, 20 * hourMS} {
		p.memory.view(visitKey{1, uint64(at % 3)}, at, at/20, &c)
	}
	good := p.AppendState(nil)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(slices.Clone(good), 0))
	twice := append(slices.Clone(good), good[len(good)-visitBytes:]...) // one visit twice
	twice[stateFront]++
	f.Add(twice)
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPageviews(Settings{VisitsWindow: hourMS, VisitsEntries: 3}, Limits{Slots: 8})
		if p.LoadState(b) != nil {
			return
		}
		if again := p.AppendState(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x comes back as %x", b, again)
		}
		now := p.memory.oldestTime()
		for i := m0(p.memory); i >= 0 && now < maxTime; i = m0(p.memory) {
			v := p.memory.visits[i]
			p.memory.view(v.key, v.end, now, &c) // touches it, evicts others
			now += hourMS + 1                    // and then itself
			p.memory.view(visitKey{^uint64(0), 1}, 0, now, &c)
			if p.memory.oldest == i || p.memory.count <= 1 {
				break
			}
		}
	})
}

func m0(m *visitMemory) int32 { return m.oldest }

func TestLoadStateRejects(t *testing.T) {
	visit := func(person uint64, start, end, touched int64, multi byte) []byte {
		b := binary.LittleEndian.AppendUint64(nil, 7)
		for _, x := range []uint64{person, uint64(start), uint64(end), uint64(touched)} {
			b = binary.LittleEndian.AppendUint64(b, x)
		}
		return append(b, multi)
	}
	state := func(n uint32, visits ...[]byte) []byte {
		b := append([]byte{stateVersion}, make([]byte, stateFront-1)...)
		return append(binary.LittleEndian.AppendUint32(b, n), bytes.Join(visits, nil)...)
	}
	for name, b := range map[string][]byte{
		"nothing":                  nil,
		"another version":          {stateVersion + 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"no count":                 state(0)[:stateFront+3],
		"more visits than bytes":   state(2, visit(1, 0, 0, 0, 0)),
		"bytes behind":             append(state(1, visit(1, 0, 0, 0, 0)), 1),
		"ends before it starts":    state(1, visit(1, 5, 4, 0, 0)),
		"no bit":                   state(1, visit(1, 5, 5, 0, 2)),
		"before 1970":              state(1, visit(1, -1, 5, 0, 1)),
		"too late":                 state(1, visit(1, 0, maxTime+1, 0, 1)),
		"touched in another order": state(2, visit(1, 0, 0, 9, 0), visit(2, 0, 0, 8, 0)),
		"the same visit twice":     state(2, visit(1, 0, 0, 0, 0), visit(1, 0, 0, 0, 0)),
		"too near":                 state(2, visit(1, 0, 0, 0, 0), visit(1, visitGap, visitGap, 0, 0)),
		"one within another":       state(2, visit(1, 10, 10, 0, 0), visit(1, 0, hourMS, 0, 1)),
	} {
		if err := newPageviews(Settings{}, Limits{}).LoadState(b); err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	ok := state(2, visit(1, 0, 0, 0, 0), visit(1, visitGap+1, visitGap+1, 0, 0))
	if err := newPageviews(Settings{}, Limits{}).LoadState(ok); err != nil {
		t.Errorf("two visits just apart: %v", err)
	}
}

// Many keys, so that the index and the numbers in it grow several times, and a
// restart with all of them: a key is found if, and only if, it was viewed.
func TestVisitsOfManyKeys(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	m := newVisitMemory(hourMS, 1<<20)
	viewed := make(map[visitKey]bool)
	var got changes
	for i := range 60_000 {
		k := visitKey{r.Uint64N(200), r.Uint64N(200)}
		m.view(k, hourMS, hourMS, &got)
		if isNew := got.n == 1 && got.list[0].visits == 1; isNew == viewed[k] {
			t.Fatalf("seed %d: view %d of %v, viewed before %v: %+v", seed, i, k, viewed[k], got)
		}
		viewed[k] = true
		if i == 30_000 {
			state := m.appendState(nil)
			m = newVisitMemory(hourMS, 1<<20)
			if rest, err := m.loadState(state); err != nil || len(rest) > 0 {
				t.Fatalf("seed %d: state does not load: %v, %d bytes left", seed, err, len(rest))
			}
		}
	}
	if m.count != len(viewed) || m.keys != len(viewed) {
		t.Fatalf("seed %d: %d visits of %d keys, viewed were %d", seed, m.count, m.keys, len(viewed))
	}
}
