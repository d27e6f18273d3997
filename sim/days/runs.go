package days

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"speedlayer/batch"
	"speedlayer/catalog"
	simbatch "speedlayer/sim/batch"
	"speedlayer/store"
	"speedlayer/verify/oracle"
	"speedlayer/view"
)

// runEvery is the pause between batch runs.
const runEvery = 6 * time.Hour

// runTime bounds one.
const runTime = 30 * time.Minute

var errBatch = errors.New("days: the batch layer failed")

// newLayer is the batch layer, whose archive is the checker's.
func (j *checker) newLayer(rng *rand.Rand) *simbatch.Layer {
	return &simbatch.Layer{Logs: j.logs, Wait: func(string) error {
		time.Sleep(time.Duration(rng.IntN(60)) * time.Second)
		if rng.IntN(15) == 0 {
			return errBatch
		}
		return nil
	}}
}

// logs are what the archive has below a vector.
func (j *checker) logs(vector []store.VectorEntry) (logs []simbatch.Log, err error) {
	ctx := context.Background()
	q, err := j.m.client()
	if err != nil {
		return nil, err
	}
	if err := j.archive.pull(ctx, q); err != nil {
		return nil, err
	}
	epochs, err := j.m.store.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range vector {
		o, err := oracle.EpochOptions(epochs[v.Epoch], v.Partition)
		if err != nil {
			return nil, err
		}
		log := simbatch.Log{Options: o}
		for _, r := range j.archive.topics[epochs[v.Epoch].TopicID][v.Partition] {
			if r.Offset >= o.Start && r.Offset < v.Offset {
				log.Records = append(log.Records, r)
			}
		}
		logs = append(logs, log)
	}
	return logs, nil
}

// batchRun does a batch run, or the one again that failed last; now and then the
// process is killed under it, and now and then it is rolled back.
func (r *run) batchRun() error {
	r.ran = time.Now()
	q, err := r.m.client()
	if err != nil {
		return err
	}
	runs := &batch.Runs{Store: r.process.store, Log: q, Job: r.checker.layer, CheckSettings: view.CheckSettings, Owner: "days", DropAfter: 30 * time.Second,
		Step: func(step string, _ uint32) {
			if step == "drop" {
				r.m.counts.add("generations dropped", 1)
			}
		}}
	ctx, cancel := context.WithTimeout(context.Background(), runTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { // ends with ctx at the latest
		_, err := runs.Run(ctx)
		done <- err
	}()
	if r.rng.IntN(4) == 0 {
		time.Sleep(time.Duration(r.rng.IntN(120)) * time.Second)
		r.m.counts.add("kills during batch runs", 1)
		err = errors.Join(r.killed(0))
		cancel()
	}
	ran := <-done
	switch {
	case err != nil:
		return err
	case ran == nil:
		r.m.counts.add("batch runs", 1)
	default:
		// Nothing may be wrong for good: the next one must complete in the end.
		r.m.counts.add("batch runs failed", 1)
	}
	if r.rng.IntN(6) == 0 {
		if _, err := catalog.Rollback(context.Background(), r.m.store); err == nil {
			r.m.counts.add("rollbacks", 1)
		} else if !errors.Is(err, catalog.ErrNoRollback) {
			return err
		}
	}
	return r.checker.checkAnswers(context.Background(), nil)
}

// lastRuns absorb everything, twice; the store then has what two runs need.
func (r *run) lastRuns() error {
	q, err := r.m.client()
	if err != nil {
		return err
	}
	runs := &batch.Runs{Store: r.m.store, Log: q, Job: r.checker.layer, CheckSettings: view.CheckSettings, Owner: "days"}
	r.checker.layer.Wait = nil
	for range 3 { // one may find that its number is spent
		if _, err := runs.Run(context.Background()); err != nil && !errors.Is(err, batch.ErrNotCounted) {
			return err
		}
	}
	p, err := r.m.store.Pointer(context.Background())
	if err == nil && (p.Current == nil || p.Previous == nil || len(p.Generations) > 2) {
		err = errors.New("days: after the last runs the pointer names no two of them, or too many generations")
	}
	return err
}
