package days

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// Options say what is run.
type Options struct {
	Seed uint64
	Dir  string                        // for the broker's log; must be empty
	Days int                           // of virtual time, about; 0 is 2
	Wrap func(store.Store) store.Store // breaks the store, to show that it is noticed
}

// run is one simulation.
type run struct {
	o        Options
	rng      *rand.Rand
	m        *machine
	checker  *checker
	clients  *clients
	process  *process
	rerouted int       // how many records may count twice, see checkCounted
	ran      time.Time // when the last batch run began
}

// Run simulates, inside a synctest bubble. It returns how often things happened,
// and the first thing that is wrong.
func Run(o Options) (map[string]int, error) {
	if o.Days == 0 {
		o.Days = 2
	}
	r := &run{o: o, rng: rand.New(rand.NewPCG(o.Seed, 0))}
	c := &counts{n: map[string]int{}}
	m, err := newMachine(o.Dir, r.rng, c, o.Wrap)
	if err != nil {
		return c.n, err
	}
	r.m, r.checker = m, &checker{m: m, oracles: map[store.Shard]*oracle.Oracle{}}
	r.checker.layer = r.checker.newLayer(rand.New(rand.NewPCG(o.Seed, 2)))
	r.ran = time.Now()
	err = r.live()
	return c.n, errors.Join(err, m.close())
}

// live runs the clients beside the script, and looks at all of it in the end.
func (r *run) live() (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	crowd := r.o.Seed%5 == 4
	if r.clients, err = newClients(r.m, rand.New(rand.NewPCG(r.o.Seed, 1)), crowd); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		if crowd {
			r.clients.run(ctx, 4*time.Minute, 40)
		} else {
			r.clients.run(ctx, 5*time.Minute, 12)
		}
	}()
	err = r.script()
	cancel()
	<-done
	if err := errors.Join(err, r.clients.err); err != nil {
		if r.process != nil {
			err = errors.Join(err, r.process.kill())
		}
		return err
	}
	return r.end()
}

// script is what happens to the system.
func (r *run) script() (err error) {
	if r.process, err = r.m.start(nil); err != nil {
		return err
	}
	begin := time.Now()
	for time.Since(begin) < time.Duration(r.o.Days)*24*time.Hour {
		time.Sleep(time.Duration(5+r.rng.IntN(40)) * time.Minute)
		if err := r.checker.check(context.Background()); err != nil {
			return r.at("check", err)
		}
		if time.Since(r.ran) >= runEvery {
			if err := r.batchRun(); err != nil {
				return r.at("batch run", err)
			}
		}
		name, do := r.next()
		r.m.counts.add(name, 1)
		if err := do(); err != nil {
			return r.at(name, err)
		}
	}
	return nil
}

func (r *run) at(what string, err error) error {
	return fmt.Errorf("%s at %s: %w", what, time.Now().UTC().Format(time.DateTime), err)
}

func (r *run) next() (string, func() error) {
	switch n := r.rng.IntN(20); {
	case n < 3:
		return "restarts", func() error { return r.restart(0, false) }
	case n < 6:
		return "kills", func() error { return r.killed(0) }
	case n < 8:
		return "settings changed", func() error { return r.restart(0, true) }
	case n < 10:
		return "nights", func() error { return r.restart(time.Duration(1+r.rng.IntN(6))*time.Hour, false) }
	case n < 11:
		return "nights after a kill", func() error { return r.killed(time.Duration(1+r.rng.IntN(6)) * time.Hour) }
	case n < 14:
		return "zombies", r.zombie
	case n < 16:
		return "broker restarts", r.brokerRestart
	case n < 17 && r.m.partitionsNow() < 4:
		return "partitions added", r.widen
	case n < 18:
		return "topics recreated", r.newTopic
	}
	return "quiet hours", func() error { return nil }
}

func (r *run) restart(pause time.Duration, change bool) (err error) {
	if err := r.process.stop(); err != nil {
		return err
	}
	time.Sleep(pause)
	if change {
		s := randomSettings(r.rng)
		r.process, err = r.m.start(&s)
	} else {
		r.process, err = r.m.start(nil)
	}
	return err
}

func (r *run) killed(pause time.Duration) (err error) {
	if err := r.process.kill(); err != nil {
		return err
	}
	time.Sleep(pause)
	r.process, err = r.m.start(nil)
	return err
}

// zombie lets a second process take over while the first still writes.
func (r *run) zombie() error {
	old := r.process
	var err error
	if r.process, err = r.m.start(nil); err != nil {
		return errors.Join(err, old.kill())
	}
	time.Sleep(time.Duration(1+r.rng.IntN(900)) * time.Second)
	if r.rng.IntN(2) == 0 {
		return old.kill()
	}
	return old.stop()
}

func (r *run) brokerRestart() error {
	if err := r.m.stopBroker(); err != nil {
		return err
	}
	time.Sleep(time.Duration(1+r.rng.IntN(60)) * time.Second)
	return r.m.startBroker()
}

// widen adds a partition while all runs, and restarts some time later: then a
// new log epoch begins.
func (r *run) widen() error {
	if err := r.m.addPartitions(); err != nil {
		return err
	}
	time.Sleep(time.Duration(r.rng.IntN(30)) * time.Minute)
	return r.newEpoch(func() error { return nil })
}

func (r *run) newTopic() error {
	return r.newEpoch(func() error {
		// What was not counted yet would be gone with the topic.
		if err := r.checker.caughtUp(context.Background(), r.process); err != nil {
			return err
		}
		if err := r.process.stop(); err != nil {
			return err
		}
		r.process = nil
		if err := r.checker.check(context.Background()); err != nil {
			return err
		}
		return r.m.newTopic()
	})
}

// newEpoch restarts around what ends a log epoch. A new one remembers no pair:
// nothing sent before is sent again after it.
func (r *run) newEpoch(end func() error) error {
	free := r.clients.hold()
	defer free()
	r.clients.again = nil
	if err := end(); err != nil {
		return err
	}
	if r.process != nil {
		if err := r.process.stop(); err != nil {
			return err
		}
	}
	if err := r.checker.check(context.Background()); err != nil {
		return err
	}
	r.rerouted = r.reroutedSoFar()
	before := r.m.epoch.Number
	// A program that starts dials again; a client that lives on may describe the
	// topic as it was a tenth of a second ago.
	r.m.hangUp()
	err := r.m.dial()
	if err != nil {
		return err
	}
	if r.process, err = r.m.start(nil); err == nil && r.m.epoch.Number == before {
		err = errors.New("no log epoch has begun")
	}
	return err
}

func (r *run) reroutedSoFar() (n int) {
	for _, o := range r.checker.oracles {
		n += len(o.Rerouted())
	}
	return n
}

// end has the log committed to its end, and looks at everything.
func (r *run) end() error {
	ctx := context.Background()
	if err := r.checker.caughtUp(ctx, r.process); err != nil {
		return errors.Join(err, r.process.kill())
	}
	if err := r.lastRuns(); err != nil {
		return errors.Join(r.at("last batch runs", err), r.process.kill())
	}
	if err := r.checker.caughtUp(ctx, r.process); err != nil { // the markers
		return errors.Join(err, r.process.kill())
	}
	if err := r.process.stop(); err != nil {
		return err
	}
	if err := r.checker.check(ctx); err != nil {
		return r.at("last check", err)
	}
	var links [][2]string
	for n := len(r.clients.known); n > 1 && len(links) < 20; {
		links = append(links, [2]string{r.clients.known[r.rng.IntN(n)], r.clients.known[r.rng.IntN(n)]})
	}
	if err := r.checker.checkAnswers(ctx, links); err != nil {
		return err
	}
	r.m.counts.add("pageviews", len(r.clients.valid))
	r.m.counts.add("rerouted", r.reroutedSoFar())
	for _, o := range r.checker.oracles {
		r.m.counts.add("rejected", len(o.DeadLetters()))
		r.m.counts.add("duplicates", int(o.Counts().Duplicates))
		r.m.counts.add("markers", int(o.Counts().Markers))
	}
	return r.checker.checkCounted(len(r.clients.valid), r.rerouted)
}
