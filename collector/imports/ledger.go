package imports

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
)

// Rows keeps the rows together with the commits: a store.Store.
type Rows interface {
	Row(ctx context.Context, name string) ([]byte, error)
	SwapRow(ctx context.Context, name string, from, to []byte) (won bool, err error)
}

// Log is the queue, implemented by *queue.Client.
type Log interface {
	Extent(ctx context.Context) (queue.TopicInfo, error)
	ReadEverything(ctx context.Context, partition int32, from, to int64, fn func(*kgo.Record) error) error
	AppendSync(ctx context.Context, messages []queue.Message) ([]queue.Position, error)
}

// Config is what a ledger needs. Only Rows and Log are required.
type Config struct {
	Rows Rows
	Log  Log
	// Alone reports that no other process can have a batch in progress, because the broker
	// runs in this process.
	Alone  bool
	Logger *slog.Logger

	pause func(ctx context.Context, d time.Duration) error
}

// takeover is how long the row of another process's open batch must stay unchanged
// until that process is considered dead. It is longer than a process tries to append.
const (
	takeover = 30 * time.Second
	lookAt   = 500 * time.Millisecond
)

var (
	// ErrBusy: other imports of the same file are in progress; try again.
	ErrBusy = errors.New("imports: another import of the same file is under way")
	// ErrUnknownStart: the batch begins at a mark that is not known, or no longer.
	ErrUnknownStart = errors.New("imports: the batch begins where no batch ended: read the marks again")
)

// Ledger appends imported messages and remembers them. It is safe for concurrent use.
type Ledger struct {
	cfg   Config
	owner string
	mu    struct {
		sync.Mutex
		held map[string]*turn
	}
}

// turn is the right to append to one id. It waits in a channel of capacity one.
type turn struct {
	free  chan struct{}
	users int
}

// New returns a ledger. It starts no goroutine.
func New(cfg Config) *Ledger {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.pause == nil {
		cfg.pause = pause
	}
	var owner [8]byte
	_, _ = rand.Read(owner[:]) // never fails
	l := &Ledger{cfg: cfg, owner: hex.EncodeToString(owner[:])}
	l.mu.held = make(map[string]*turn)
	return l
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Known is what is remembered of a file.
type Known struct {
	Marks []Mark `json:"marks"`
	// Before reports that a program that kept no rows may have imported the file. The
	// messages must then carry the nonces that it used.
	Before bool `json:"before"`
}

// Known returns what is remembered of an id.
func (l *Ledger) Known(ctx context.Context, id string) (Known, error) {
	r, _, err := l.read(ctx, id)
	if err != nil {
		return Known{}, err
	}
	return Known{Marks: append([]Mark{}, r.Marks...), Before: r.Before}, nil
}

// Message is one pageview of a file.
type Message struct {
	queue.Message
	Was string // the nonce that it had before there were rows; "" if not known
}

// Batch is a part of a file: the lines from one mark to another, and the pageviews
// in them.
type Batch struct {
	From, To Mark
	Messages []Message
}

// Taken is the result of appending a batch.
type Taken struct {
	Duplicates int // number of messages that were already in the log
	Positions  []queue.Position
}

// Append puts a batch into the log, except for the messages already there. When it
// returns without an error, all lines up to b.To are durable in the log. After an error
// some may be: the batch may be passed again, split in any way.
func (l *Ledger) Append(ctx context.Context, id string, b Batch) (Taken, error) {
	leave, err := l.enter(ctx, id)
	if err != nil {
		return Taken{}, err
	}
	defer leave()
	r, raw, err := l.ready(ctx, id)
	if err != nil {
		return Taken{}, err
	}
	if r.has(b.To) {
		return Taken{Duplicates: len(b.Messages)}, nil
	}
	if !r.has(b.From) || b.To.Lines <= b.From.Lines {
		return Taken{}, ErrUnknownStart
	}
	// From here on, a caller that disconnects leaves nothing half done.
	ctx = context.WithoutCancel(ctx)
	var taken Taken
	if len(b.Messages) > 0 {
		if r, raw, taken, err = l.send(ctx, id, r, raw, b); err != nil {
			return Taken{}, err
		}
	}
	won, err := l.cfg.Rows.SwapRow(ctx, name(id), raw, r.finish(b.To).encode())
	if err == nil && !won {
		err = ErrBusy // another process considered the batch abandoned, and looks for what we appended
	}
	return taken, err
}

// send appends the messages that are not in the log, under an open batch. It returns
// the row with that batch.
func (l *Ledger) send(ctx context.Context, id string, r *row, raw []byte, b Batch) (*row, []byte, Taken, error) {
	log, err := l.cfg.Log.Extent(ctx)
	if err != nil {
		return nil, nil, Taken{}, err
	}
	if r.Topic == "" { // the first batch of this id
		r = r.clone()
		r.Topic, r.Origin = log.ID, log.Ends
	}
	looks := places{topic: r.Topic, from: r.look(b.From), before: r.Before}
	ends := log.Ends
	if r.Topic != log.ID && r.Open == nil { // the topic was recreated: these offsets belong to the new one
		r = r.clone()
		r.Topic, r.Origin = log.ID, make([]int64, len(ends))
	}
	next := r.begin(b.To.Lines, ends, l.owner)
	to := next.encode()
	won, err := l.cfg.Rows.SwapRow(ctx, name(id), raw, to)
	if err == nil && !won {
		err = ErrBusy
	}
	if err != nil {
		return nil, nil, Taken{}, err
	}
	found, err := l.find(ctx, log, looks, b.Messages)
	if err != nil {
		return nil, nil, Taken{}, err
	}
	taken, fresh := Taken{}, make([]queue.Message, 0, len(b.Messages))
	for i, m := range b.Messages {
		if found != nil && found[i] {
			taken.Duplicates++
			continue
		}
		fresh = append(fresh, m.Message)
	}
	if len(fresh) > 0 {
		if taken.Positions, err = l.cfg.Log.AppendSync(ctx, fresh); err != nil {
			return nil, nil, Taken{}, err
		}
	}
	if r.Before && taken.Duplicates == 0 { // beyond what was imported before there were rows
		next = next.clone()
		next.Before = false
	}
	return next, to, taken, nil
}

// ready reads the row once no other process is working on it.
func (l *Ledger) ready(ctx context.Context, id string) (*row, []byte, error) {
	var seen string
	for waited := time.Duration(0); ; waited += lookAt {
		r, raw, err := l.read(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if r.Open == nil || r.Open.Owner == l.owner || l.cfg.Alone {
			return r, raw, nil
		}
		if string(raw) != seen {
			seen, waited = string(raw), 0
		}
		if waited >= takeover {
			l.cfg.Logger.Info("import: a batch that another process left is taken over", "import", id, "owner", r.Open.Owner)
			return r, raw, nil
		}
		if err := l.cfg.pause(ctx, lookAt); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
	}
}

// read returns a row and its bytes. It makes a row that does not exist, with nil bytes.
func (l *Ledger) read(ctx context.Context, id string) (*row, []byte, error) {
	raw, err := l.cfg.Rows.Row(ctx, name(id))
	if err != nil {
		return nil, nil, err
	}
	if raw != nil {
		r, err := decodeRow(raw)
		return r, raw, err
	}
	since, err := l.since(ctx)
	if err != nil {
		return nil, nil, err
	}
	return &row{Version: rowVersion, Before: since.any()}, nil, nil
}

// name returns the name of the row of an id.
func name(id string) string { return "imports/" + id }

// sinceName is the row that records from where in the log on imports have rows.
const sinceName = "imports"

// since returns where the log ended when the first import of this store began. Imports
// before that, by a program that kept no rows or with a store that is gone, have no
// rows.
type since struct {
	Topic string  `json:"topic"`
	Ends  []int64 `json:"ends"`
}

func (s *since) any() bool {
	for _, end := range s.Ends {
		if end > 0 {
			return true
		}
	}
	return false
}

func (l *Ledger) since(ctx context.Context) (s since, err error) {
	for {
		raw, err := l.cfg.Rows.Row(ctx, sinceName)
		if err != nil {
			return s, err
		}
		if raw != nil {
			if err := json.Unmarshal(raw, &s); err != nil {
				return s, fmt.Errorf("imports: the row %s cannot be read: %w", sinceName, err)
			}
			return s, nil
		}
		log, err := l.cfg.Log.Extent(ctx)
		if err != nil {
			return s, err
		}
		first, err := json.Marshal(since{log.ID, log.Ends})
		if err != nil {
			return s, err
		}
		if _, err := l.cfg.Rows.SwapRow(ctx, sinceName, nil, first); err != nil {
			return s, err
		}
	}
}

// enter waits for the turn of an id; leave passes it on.
func (l *Ledger) enter(ctx context.Context, id string) (leave func(), err error) {
	l.mu.Lock()
	t := l.mu.held[id]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		l.mu.held[id] = t
	}
	t.users++
	l.mu.Unlock()
	done := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(l.mu.held, id)
		}
	}
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; done() }, nil
	case <-ctx.Done():
		done()
		return nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
}
