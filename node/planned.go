package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"speedlayer/catalog"
	"speedlayer/queue"
	"speedlayer/spark/worker"
	"speedlayer/store"
)

// Planned is the processing part of a node whose ranges somebody else plans: Spark.
// It opens the queue and the store when they are first needed, so that servers that
// are down are an error of a request, not of the start. Safe for concurrent use; it
// is a worker.Engine.
type Planned struct {
	cfg     Config
	explain func(error) error // adds to an error which setting to change
	now     func() time.Time

	opening chan struct{} // holds a token: one opens, or looks at the log epochs
	mu      struct {
		sync.Mutex
		node     *Node // nil until it is open
		identity string
		epochs   []store.Epoch // as last seen in the store
		lookedAt time.Time     // when the newest was last compared with the topic
		fences   map[uint32]*catalog.Fence
		parts    map[store.Shard]*plannedPartition
	}
}

// NewPlanned returns a Planned that has opened nothing. Config's queue and store are
// those of a cluster. explain may be nil. Its owner closes it.
func NewPlanned(c Config, explain func(error) error) *Planned {
	c.Roles = RoleCollector // it appends, and joins no group
	c.Keep = true
	c.setDefaults()
	p := &Planned{cfg: c, explain: explain, now: time.Now, opening: make(chan struct{}, 1)}
	if explain == nil {
		p.explain = func(err error) error { return err }
	}
	p.opening <- struct{}{}
	p.mu.fences = make(map[uint32]*catalog.Fence)
	p.mu.parts = make(map[store.Shard]*plannedPartition)
	return p
}

// lock takes the token of opening.
func (p *Planned) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case <-p.opening:
		return func() { p.opening <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// open returns the node, and opens it if it is not.
func (p *Planned) open(ctx context.Context) (*Node, string, error) {
	p.mu.Lock()
	n, id := p.mu.node, p.mu.identity
	p.mu.Unlock()
	if n != nil {
		return n, id, nil
	}
	unlock, err := p.lock(ctx)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	p.mu.Lock()
	n, id = p.mu.node, p.mu.identity
	p.mu.Unlock()
	if n != nil {
		return n, id, nil
	}
	// What is opened outlives the request; the request bounds how long that takes.
	if n, err = OpenBackends(ctx, p.cfg); err != nil {
		return nil, "", p.classify(err)
	}
	if err = n.ensureTrust(ctx); err == nil {
		id, err = catalog.Identity(ctx, n.store)
	}
	if err == nil {
		p.mu.Lock()
		p.mu.node, p.mu.identity = n, id
		p.mu.Unlock()
		return n, id, nil
	}
	return nil, "", errors.Join(err, n.Close())
}

// classify makes a FatalError of an error that only other settings mend.
func (p *Planned) classify(err error) error {
	explained := p.explain(err)
	if lasting(err) {
		return &worker.FatalError{Err: explained}
	}
	return explained
}

// Identity implements worker.Engine.
func (p *Planned) Identity(ctx context.Context) (id, fingerprint string, err error) {
	if _, id, err = p.open(ctx); err != nil {
		return "", "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "1 %s %s snapshots %v", id, queue.TopicPageviews, p.cfg.SnapshotEvery)
	return id, hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// Plan implements worker.Engine.
func (p *Planned) Plan(ctx context.Context, at worker.Standing) (*worker.Plan, error) {
	n, id, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	e, err := p.settled(ctx, n)
	if err != nil {
		return nil, p.classify(err)
	}
	if err := p.check(id, at); err != nil {
		return nil, &worker.FatalError{Err: err}
	}
	topic, err := n.queue.Info(ctx)
	if err != nil {
		return nil, p.classify(err)
	}
	if topic.ID != e.TopicID || topic.Partitions != e.Partitions {
		p.forget() // it was made again a moment ago
		return nil, fmt.Errorf("the topic %s is another than that of log epoch %d", queue.TopicPageviews, e.Number)
	}
	return &worker.Plan{Epoch: e.Number, Topic: e.TopicID, Starts: e.Starts, Ends: topic.Stable}, nil
}

// check compares a checkpoint with the store's log epochs.
func (p *Planned) check(id string, at worker.Standing) error {
	const remedy = "give the query a checkpoint folder of its own (a new one costs nothing: it goes on where the store's commits stand)"
	if at.Store == "" {
		return nil
	}
	if at.Store != id {
		return fmt.Errorf("the checkpoint is of the store %s, and --store leads to the store %s: %s, or name the store that it is of", at.Store, id, remedy)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(at.Epoch) >= len(p.mu.epochs) {
		return fmt.Errorf("the checkpoint is of log epoch %d, and the store has none above %d: %s", at.Epoch, len(p.mu.epochs)-1, remedy)
	}
	if has := p.mu.epochs[at.Epoch].TopicID; has != at.Topic {
		return fmt.Errorf("the checkpoint is of the topic with id %s, and log epoch %d is of the topic with id %s: %s", at.Topic, at.Epoch, has, remedy)
	}
	return nil
}

// Commits implements worker.Engine.
func (p *Planned) Commits(ctx context.Context) (*worker.Commits, error) {
	n, _, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	e, err := p.settled(ctx, n)
	if err != nil {
		return nil, p.classify(err)
	}
	offsets, err := n.committed(ctx, e)
	if err != nil {
		return nil, err
	}
	return &worker.Commits{Epoch: e.Number, Topic: e.TopicID, Offsets: offsets}, nil
}

// settled is the newest log epoch, which was compared with the topic as lately as
// running processors do that.
func (p *Planned) settled(ctx context.Context, n *Node) (store.Epoch, error) {
	p.mu.Lock()
	fresh := !p.mu.lookedAt.IsZero() && p.now().Sub(p.mu.lookedAt) < epochEvery
	e, ok := newestOpen(p.mu.epochs)
	p.mu.Unlock()
	if fresh && ok {
		return e, nil
	}
	return p.settle(ctx, n, nil)
}

// settle compares the newest log epoch with the topic, and begins another one if it
// must. known is what a range's run found, or nil.
func (p *Planned) settle(ctx context.Context, n *Node, known *catalog.KnownEnd) (e store.Epoch, err error) {
	unlock, err := p.lock(ctx)
	if err != nil {
		return e, err
	}
	defer unlock()
	settings, err := catalog.Settings(ctx, n.store, p.cfg.Settings)
	if err != nil {
		return e, err
	}
	if e, err = n.settle(ctx, known, settings); err != nil {
		return e, err
	}
	if err := n.ensureSettings(ctx, e, settings); err != nil {
		return e, err
	}
	return e, p.look(ctx, n)
}

// look reads the log epochs of the store.
func (p *Planned) look(ctx context.Context, n *Node) error {
	at := p.now()
	epochs, err := n.store.Epochs(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if was, ok := newestOpen(p.mu.epochs); ok && len(epochs) > len(p.mu.epochs) {
		if is, _ := newestOpen(epochs); is.TopicID != was.TopicID {
			n.queue.Renew()
		}
		n.queue.Refresh()
	}
	p.mu.epochs, p.mu.lookedAt = epochs, at
	return nil
}

// forget has the next request look at the log epochs again.
func (p *Planned) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.lookedAt = time.Time{}
}

// Close drops all partitions, and closes the queue and the store. Nothing may be at
// work any more.
func (p *Planned) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.mu.parts {
		part.owner.Close()
	}
	if p.mu.node == nil {
		return nil
	}
	return p.mu.node.Close()
}
