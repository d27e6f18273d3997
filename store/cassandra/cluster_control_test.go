package cassandra

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"speedlayer/store"
)

// forgetful is a dialer whose connections lose answers while it is armed: the server
// has done what it was asked, and the connection ends.
type forgetful struct {
	mu    sync.Mutex
	r     *rand.Rand
	armed bool
	lost  int
}

func (f *forgetful) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &forgetfulConn{c, f}, nil
}

func (f *forgetful) arm(armed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = armed
}

type forgetfulConn struct {
	net.Conn
	f *forgetful
}

func (c *forgetfulConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if err != nil || !c.f.armed || c.f.r.IntN(8) > 0 {
		return n, err
	}
	c.f.lost++
	_ = c.Conn.Close()
	return 0, errors.New("the answer is lost")
}

// A transaction whose answer was lost has taken effect or not. Either way swap tells
// what is so: with one writer, every swap from the current value wins, once.
func TestClusterSwapWithoutAnswers(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := &forgetful{r: rand.New(rand.NewPCG(seed, 15))}
	o := options(t)
	o.dialer = f
	s := open(t, o)
	var from []byte
	for n := 0; f.lost < 12; n++ {
		to := []byte(strconv.Itoa(n % 3)) // values come back
		f.arm(true)
		won, err := s.SwapRow(t.Context(), "counter", from, to)
		f.arm(false)
		if err != nil || !won {
			t.Fatalf("swap %d, from %q to %q: %v, %v, after %d lost answers", n, from, to, won, err, f.lost)
		}
		from = to
		if row, err := s.Row(t.Context(), "counter"); err != nil || string(row) != string(to) {
			t.Fatalf("swap %d: the row is %q, %v", n, row, err)
		}
	}
}

// Several processes create and drop the same generation at once. However it ends, row
// and table agree.
func TestClusterMadeAndDroppedAtOnce(t *testing.T) {
	ctx := t.Context()
	o := options(t)
	stores := make([]*Store, 3)
	for i := range stores {
		stores[i] = open(t, o)
	}
	var all errgroup.Group
	for i, s := range stores {
		all.Go(func() error {
			if i == 2 {
				return s.DropGeneration(ctx, 0)
			}
			if err := s.CreateGeneration(ctx, 0); err != nil && !errors.Is(err, store.ErrDropped) {
				return err
			}
			return nil
		})
	}
	must(t, all.Wait())
	must(t, stores[0].DropGeneration(ctx, 0))
	if got := tablesOf(t, admin(t, o), o.Keyspace); fmt.Sprint(got) != "[control days shards snapshots]" {
		t.Errorf("tables are %v", got)
	}
}
