package queue

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"

	"speedlayer/queue/embedded"
)

// Now never says less than was acknowledged a second before, and what is wanted
// is asked for.
func TestEnds(t *testing.T) {
	b, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := Dial(t.Context(), Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	e := c.NewEnds()
	following.Go(func() { e.Follow(ctx) })
	at, err := c.AppendSync(ctx, []Message{{Person: []byte("ann"), Value: []byte("{}")}})
	if err != nil {
		t.Fatal(err)
	}
	part := at[0].Partition
	if ends, err := e.Now(ctx); err != nil || ends[part] != 1 {
		t.Fatalf("%v, %v: want 1 in partition %d", ends, err, part)
	}
	if _, err := c.AppendSync(ctx, []Message{{Person: []byte("ann"), Value: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	// As if the answer were a while old: the caller has it, and Follow asks again.
	e.mu.Lock()
	e.mu.at = e.mu.at.Add(-2 * endsFresh)
	old := e.mu.at
	e.mu.Unlock()
	if ends, err := e.Now(ctx); err != nil || ends[part] < 1 {
		t.Fatalf("%v, %v", ends, err)
	}
	for {
		e.mu.Lock()
		ends, asked := slices.Clone(e.mu.info.Stable), e.mu.at.After(old)
		e.mu.Unlock()
		if asked {
			if ends[part] != 2 {
				t.Fatalf("%v: want 2 in partition %d", ends, part)
			}
			break
		}
		if ctx.Err() != nil {
			t.Fatal("nobody asked")
		}
		runtime.Gosched()
	}
	e.mu.Lock()
	e.mu.at = e.mu.at.Add(-2 * endsStale)
	e.mu.info.Stable = make([]int64, 8)
	e.mu.Unlock()
	if ends, err := e.Now(ctx); err != nil || ends[part] != 2 {
		t.Fatalf("%v, %v: want 2 in partition %d, for the answer was too old", ends, err, part)
	}
}
