package imports

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"

	"speedlayer/queue"
)

// world is a log and rows in memory. Calls fail at random: before they take effect,
// after it, or half way.
type world struct {
	*testing.T
	random *rand.Rand
	faults bool

	mu    sync.Mutex
	topic string
	parts [][]*kgo.Record
	rows  map[string]string
}

var errCrash = errors.New("crash")

func newWorld(t *testing.T, seed uint64) *world {
	return &world{T: t, random: rand.New(rand.NewPCG(seed, 1)), topic: "t1", parts: make([][]*kgo.Record, 3), rows: map[string]string{}}
}

func (w *world) fault() bool { return w.faults && w.random.IntN(6) == 0 }

func (w *world) Row(_ context.Context, name string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault() {
		return nil, errCrash
	}
	if raw, ok := w.rows[name]; ok {
		return []byte(raw), nil
	}
	return nil, nil
}

func (w *world) SwapRow(_ context.Context, name string, from, to []byte) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault() {
		return false, errCrash
	}
	have, ok := w.rows[name]
	if ok != (from != nil) || have != string(from) {
		return false, nil
	}
	w.rows[name] = string(to)
	if w.fault() {
		return false, errCrash // although it was done
	}
	return true, nil
}

func (w *world) Extent(context.Context) (queue.TopicInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault() {
		return queue.TopicInfo{}, errCrash
	}
	info := queue.TopicInfo{ID: w.topic, Partitions: int32(len(w.parts)), Starts: make([]int64, len(w.parts)), Ends: make([]int64, len(w.parts))}
	for i, p := range w.parts {
		info.Ends[i] = int64(len(p))
	}
	return info, nil
}

func (w *world) ReadEverything(_ context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	w.mu.Lock()
	part := w.parts[partition]
	failed := w.fault()
	w.mu.Unlock()
	for _, r := range part[from:to] {
		if err := fn(r); err != nil {
			return err
		}
	}
	if failed {
		return errCrash
	}
	return nil
}

func (w *world) AppendSync(_ context.Context, messages []queue.Message) ([]queue.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages {
		if w.fault() {
			return nil, errCrash
		}
		w.put(m)
	}
	if w.fault() {
		return nil, errCrash
	}
	return make([]queue.Position, len(messages)), nil
}

func (w *world) put(m queue.Message) {
	p := int(xxh3.Hash(m.Person) % uint64(len(w.parts)))
	w.parts[p] = append(w.parts[p], &kgo.Record{Key: m.Person, Value: m.Value, Offset: int64(len(w.parts[p]))})
}

// other puts other traffic between the records of imports.
func (w *world) traffic() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range w.random.IntN(4) {
		w.put(message(fmt.Sprint("live", w.random.Uint64()), "p").Message)
	}
}

func message(nonce, person string) Message {
	return Message{Message: queue.Message{Person: []byte(person),
		Value: fmt.Appendf(nil, `{"nonce":%q,"person":%q,"url":"http://a.example/","ts":1700000000000}`, nonce, person)}}
}

// file is a log file. Each line is a pageview, except lines that begin with "-".
type file []string

func (f file) mark(lines int) Mark {
	if lines == 0 {
		return Mark{}
	}
	return Mark{int64(lines), fmt.Sprintf("%x", xxh3.HashString(fmt.Sprint([]string(f[:lines]))))}
}

func (f file) nonce(i int) string { return fmt.Sprintf("%s|%d|%s", f[0], i, f[i]) }

func (f file) batch(from, to int) Batch {
	b := Batch{From: f.mark(from), To: f.mark(to)}
	for i := from; i < to; i++ {
		if f[i][0] != '-' {
			b.Messages = append(b.Messages, message(f.nonce(i), fmt.Sprint("p", i%5)))
		}
	}
	return b
}

// importFile acts like an importer: it imports from the last mark that fits, or from the
// start. It ends at the first error, like a process that is killed.
func (w *world) importFile(l *Ledger, f file) error {
	id := "id-" + f[0]
	known, err := l.Known(w.Context(), id)
	if err != nil {
		return err
	}
	at := 0
	for _, m := range known.Marks {
		if int(m.Lines) <= len(f) && f.mark(int(m.Lines)) == m && w.random.IntN(4) > 0 {
			at = max(at, int(m.Lines))
		}
	}
	for at < len(f) {
		to := at + 1 + w.random.IntN(min(7, len(f)-at))
		if _, err := l.Append(w.Context(), id, f.batch(at, to)); err != nil {
			return err
		}
		w.traffic()
		at = to
	}
	return nil
}

// counts returns how often each nonce is in the log.
func (w *world) counts() map[string]int {
	n := map[string]int{}
	for _, p := range w.parts {
		for _, r := range p {
			n[string(r.Value)]++
		}
	}
	return n
}

// check reports whether each line of all versions of all files is there exactly once.
func (w *world) check(files ...file) {
	w.Helper()
	n := w.counts()
	for _, f := range files {
		for _, m := range f.batch(0, len(f)).Messages {
			if n[string(m.Value)] != 1 {
				w.Errorf("%s is in the log %d times", m.Value, n[string(m.Value)])
			}
		}
	}
	for value, times := range n {
		if times > 1 {
			w.Errorf("%s is in the log %d times", value, times)
		}
	}
}

func (w *world) ledger(alone bool) *Ledger {
	return New(Config{Rows: w, Log: w, Alone: alone, pause: func(context.Context, time.Duration) error { return nil }})
}

func (w *world) line() string {
	return fmt.Sprintf("%c%d", "-abc"[w.random.IntN(4)], w.random.IntN(3))
}

// change is what happens to a log between two nights.
func (w *world) change(f file) file {
	f = slices.Clone(f)
	switch w.random.IntN(8) {
	case 0: // a line is edited
		if i := w.random.IntN(len(f)); i > 0 {
			f[i] = w.line()
		}
	case 1: // lines are removed
		if i := w.random.IntN(len(f)); i > 0 {
			f = slices.Delete(f, i, min(i+2, len(f)))
		}
	case 2: // it is truncated and continues
		f = f[:1+w.random.IntN(len(f))]
	case 3: // another file with the same first line
		f = f[:1]
	}
	for range w.random.IntN(9) {
		f = append(f, w.line())
	}
	return f
}

// Files grow, are edited, truncated and started again. Processes that import them fail
// at every step, at once or one after the other, and are restarted, much later. Only
// rows and log remember anything. Each line of each version that was imported to its
// end is in the log once.
func TestEachLineOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	crashes := 0
	for n := range uint64(400) {
		w := newWorld(t, seed+n)
		alone := w.random.IntN(2) == 0
		ledgers := []*Ledger{w.ledger(alone)}
		if !alone {
			ledgers = append(ledgers, w.ledger(false))
		}
		files, done := []file{{"a0"}, {"a1"}}, []file{}
		for range 12 {
			i := w.random.IntN(len(files))
			if len(files[i]) == 1 || w.random.IntN(3) == 0 {
				files[i] = w.change(files[i])
			}
			w.faults = w.random.IntN(2) == 0
			j := w.random.IntN(len(ledgers))
			if err := w.importFile(ledgers[j], files[i]); err != nil {
				if !errors.Is(err, errCrash) {
					t.Fatalf("world %d: %v", n, err)
				}
				crashes++
				ledgers[j] = w.ledger(alone) // the process is restarted
				continue
			}
			done = append(done, files[i])
		}
		w.faults = false
		for _, f := range files {
			if err := w.importFile(ledgers[0], f); err != nil {
				t.Fatalf("world %d: %v", n, err)
			}
		}
		if w.check(append(done, files...)...); t.Failed() {
			t.Fatalf("world %d of seed %d", n, seed)
		}
	}
	if crashes < 100 {
		t.Errorf("%d crashes: too few to show anything", crashes)
	}
}

// Many callers import one file at once, through one process.
func TestAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	var f file = []string{"a0"}
	for range 60 {
		f = append(f, w.line())
	}
	l := w.ledger(true)
	var wg sync.WaitGroup
	for n := range 9 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(n)))
			for at := 0; at < len(f); {
				to := at + 1 + random.IntN(min(7, len(f)-at))
				_, err := l.Append(t.Context(), "id", f.batch(at, to))
				if err != nil {
					t.Error(err)
					return
				}
				at = to
			}
		})
	}
	wg.Wait()
	w.check(f)
}

// Pageviews imported before there were rows, with nonces without a site, still count
// once. So do those imported with a store that is gone. Lines of another site count.
func TestBeforeRows(t *testing.T) {
	w := newWorld(t, 1)
	f := file{"a0", "a1", "a2", "a1", "a2", "b1"}
	was := func(b Batch) Batch {
		for i := range b.Messages {
			b.Messages[i].Was = "old" + fmt.Sprint(int(b.From.Lines)+i)
		}
		return b
	}
	for i := range 3 {
		w.put(message("old"+fmt.Sprint(i), fmt.Sprint("p", i%5)).Message)
	}
	l := w.ledger(true)
	known, err := l.Known(t.Context(), "id")
	if err != nil || !known.Before {
		t.Fatalf("%+v, %v", known, err)
	}
	for i, want := range []int{2, 1, 0} {
		taken, err := l.Append(t.Context(), "id", was(f.batch(2*i, 2*i+2)))
		if err != nil || taken.Duplicates != want {
			t.Errorf("batch %d: %+v, %v; want %d", i, taken, err, want)
		}
	}
	if known, err := l.Known(t.Context(), "id"); err != nil || known.Before || len(known.Marks) != 3 {
		t.Errorf("%+v, %v", known, err)
	}
	w.rows = map[string]string{} // the store is recreated, the log is the same
	l = w.ledger(true)
	for i, want := range []int{2, 2, 2} {
		taken, err := l.Append(t.Context(), "id", was(f.batch(2*i, 2*i+2)))
		if err != nil || taken.Duplicates != want {
			t.Errorf("with an empty store, batch %d: %+v, %v; want %d", i, taken, err, want)
		}
	}
	other := f.batch(0, 2)
	for i := range other.Messages {
		m := &other.Messages[i]
		m.Was = "old" + fmt.Sprint(i)
		m.Value = []byte(fmt.Sprintf(`{"nonce":"n%d","person":"p%d","url":"http://b.example/","ts":1700000000000}`, i, i))
	}
	if taken, err := l.Append(t.Context(), "other", other); err != nil || taken.Duplicates != 0 {
		t.Errorf("another site: %+v, %v", taken, err)
	}
}

// A recreated topic has other offsets. What is remembered of lines stays.
func TestTopicMadeAnew(t *testing.T) {
	w := newWorld(t, 1)
	l := w.ledger(true)
	f := file{"a0", "a1", "a2", "b1"}
	for i := range 2 {
		if _, err := l.Append(t.Context(), "id", f.batch(i, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	w.topic, w.parts = "t2", make([][]*kgo.Record, 2)
	if taken, err := l.Append(t.Context(), "id", f.batch(0, 2)); err != nil || taken.Duplicates != 2 {
		t.Errorf("what was counted: %+v, %v", taken, err)
	}
	w.faults = true
	for tries := 0; ; tries++ {
		if _, err := l.Append(t.Context(), "id", f.batch(2, 4)); err == nil && tries > 0 {
			break
		}
	}
	w.faults = false
	w.check(f[:0])
	if n := w.counts(); len(n) != 2 {
		t.Errorf("in the log: %v", n)
	}
	g := append(slices.Clone(f[:3]), "c1", "c2")
	if taken, err := l.Append(t.Context(), "id", g.batch(0, 5)); err != nil || len(w.counts()) < 4 {
		t.Errorf("edited: %+v, %v", taken, err)
	}
	w.check(f[:0])
}

func TestMarksAreBounded(t *testing.T) {
	r := &row{Version: rowVersion}
	for i := int64(1); i <= 1000; i++ {
		m := Mark{i, fmt.Sprint(i)}
		r = r.begin(i, nil, "o").finish(m)
		if !r.has(m) || len(r.Marks) > maxMarks || !slices.Contains(r.Marks, Mark{max(1, i-keptMarks+1), fmt.Sprint(max(1, i-keptMarks+1))}) {
			t.Fatalf("after %d batches there are %d marks", i, len(r.Marks))
		}
	}
	if len(r.encode()) > 16<<10 {
		t.Errorf("a row has %d bytes", len(r.encode()))
	}
}

func TestRowsOfOthers(t *testing.T) {
	for _, raw := range []string{"", "{", `{"version":2}`} {
		if _, err := decodeRow([]byte(raw)); err == nil {
			t.Errorf("%q is taken", raw)
		}
	}
	w := newWorld(t, 1)
	f := file{"a0", "a1", "b2"}
	if _, err := w.ledger(true).Append(t.Context(), "id", f.batch(1, 2)); !errors.Is(err, ErrUnknownStart) {
		t.Errorf("a batch from nowhere: %v", err)
	}
}
