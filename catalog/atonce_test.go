package catalog

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/store/pebble"
	"speedlayer/view"
)

// markers is a log that keeps what is appended, for many callers.
type markers struct {
	mu    sync.Mutex
	parts [3][]uint32 // generations, in log order
}

func (l *markers) AppendMarker(_ context.Context, partition int32, value []byte) error {
	m, err := record.ParseMarker(value, view.CheckSettings)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[partition] = append(l.parts[partition], m.Generation)
	return nil
}

func storeOf3(t *testing.T, s record.Settings) store.Store {
	t.Helper()
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	topic := queue.TopicInfo{ID: "a", Partitions: 3, Starts: make([]int64, 3), Ends: make([]int64, 3)}
	if _, _, err := EnsureEpoch(t.Context(), st, topic, s); err != nil {
		t.Fatal(err)
	}
	return st
}

// Many processes that start at once with the same changed settings begin one
// generation together: one of them reports that it did.
func TestEnsureSettingsAtOnce(t *testing.T) {
	for range 20 {
		s := view.Defaults()
		st := storeOf3(t, s)
		s.Operator = view.Settings{VisitsWindow: 1000, VisitsEntries: 9, ExactVisitors: 2048, Rules: 1}.String()
		log := &markers{}
		var wg sync.WaitGroup
		var generations [8]uint32
		var began [8]bool
		var errs [8]error
		for i := range errs {
			wg.Go(func() { generations[i], began[i], errs[i] = EnsureSettings(t.Context(), st, log, 3, s) })
		}
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		p, err := st.Pointer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// A number may be taken and never used, when the list moved meanwhile.
		newest := p.Generations[len(p.Generations)-1]
		if len(p.Generations) != 2 || !p.Marked || p.Settings != s.String() {
			t.Errorf("pointer %+v: want one more generation, marked", p)
		}
		sayers := 0
		for i := range generations {
			if generations[i] != newest {
				t.Errorf("one says generation %d, the list %v", generations[i], p.Generations)
			}
			if began[i] {
				sayers++
			}
		}
		if sayers != 1 {
			t.Errorf("%d of 8 say that they began it", sayers)
		}
		for part, all := range log.parts {
			if len(all) == 0 {
				t.Errorf("partition %d has no marker", part)
			}
			for _, g := range all { // more than one is harmless: the first counts
				if g != newest {
					t.Errorf("partition %d has a marker of generation %d", part, g)
				}
			}
		}
	}
}

// deaf is a log that is away for its first calls.
type deaf struct {
	markers
	away int
}

var errAway = errors.New("away")

func (l *deaf) AppendMarker(ctx context.Context, partition int32, value []byte) error {
	if l.away--; l.away >= 0 {
		return errAway
	}
	return l.markers.AppendMarker(ctx, partition, value)
}

// When the log is away, the generation stands in the list without its markers;
// trying again appends what is missing and begins no other.
func TestEnsureSettingsAgain(t *testing.T) {
	s := view.Defaults()
	st := storeOf3(t, s)
	s.DedupeWindow++
	log := &deaf{away: 2}
	for range 2 {
		if _, _, err := EnsureSettings(t.Context(), st, log, 3, s); !errors.Is(err, errAway) {
			t.Fatalf("the log is away: %v", err)
		}
		if p, err := st.Pointer(t.Context()); err != nil || p.Marked || !reflect.DeepEqual(p.Generations, []uint32{0, 1}) {
			t.Fatalf("pointer %+v, %v", p, err)
		}
	}
	if g, _, err := EnsureSettings(t.Context(), st, log, 3, s); err != nil || g != 1 {
		t.Fatalf("generation %d, %v", g, err)
	}
	if want := [3][]uint32{{1}, {1}, {1}}; !reflect.DeepEqual(log.parts, want) {
		t.Errorf("markers %v, want %v", log.parts, want)
	}
}

// A fresh store has no settings of its own: those given hold.
func TestSettings(t *testing.T) {
	s := view.Defaults()
	s.DedupeEntries = 5
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if got, err := Settings(t.Context(), st, s); err != nil || got != s {
		t.Errorf("fresh: %+v, %v", got, err)
	}
	if got, err := Settings(t.Context(), storeOf3(t, s), view.Defaults()); err != nil || got != s {
		t.Errorf("begun with other settings: %+v, %v", got, err)
	}
}
