package topology

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"speedlayer/queue"
	"speedlayer/queue/embedded"
	"speedlayer/store"
	"speedlayer/store/pebble"
)

// open opens queue and store of each stage.
func (j *Job) open(ctx context.Context) error {
	if err := j.lockData(); err != nil {
		return err
	}
	if len(j.cfg.Kafka.Brokers) == 0 {
		if err := j.startBroker(); err != nil {
			return err
		}
	}
	for _, g := range j.t.stages {
		s := &running{stage: g, job: j}
		j.stages = append(j.stages, s)
		if err := s.open(ctx); err != nil {
			return fmt.Errorf("topology %s, topic %s: %w", j.t.name, g.topic, err)
		}
	}
	return nil
}

func (j *Job) lockData() error {
	if len(j.cfg.Kafka.Brokers) > 0 && j.cfg.OpenStore != nil {
		return nil
	}
	if j.cfg.Data == "" {
		return errors.New("topology: Config.Data is empty: allowed is a directory for the embedded queue and store")
	}
	l, err := lockDir(j.cfg.Data)
	j.lock = l
	return err
}

// lockDir makes a directory this process's alone.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	l := flock.New(filepath.Join(dir, "LOCK"))
	held, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock of data directory %s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("data directory %s is held by another process", dir)
	}
	return l, nil
}

func (j *Job) startBroker() (err error) {
	var topics []string
	for _, s := range j.t.stages {
		topics = append(topics, s.topic)
	}
	j.broker, err = embedded.Start(embedded.Config{Dir: filepath.Join(j.cfg.Data, "queue"), Partitions: j.cfg.Partitions,
		Produce: topics, Read: topics, Logger: j.cfg.Logger, Failed: func(err error) { j.end(err) }})
	if err != nil {
		return err
	}
	for _, d := range j.broker.Damage() {
		if !d.Settled {
			return fmt.Errorf("the log in %s is damaged: %v: begin again in another directory", j.cfg.Data, &d)
		}
	}
	return nil
}

func (s *running) open(ctx context.Context) (err error) {
	c := s.job.cfg.Kafka
	c.Topic, c.Partitions, c.Logger = s.topic, s.job.cfg.Partitions, s.job.cfg.Logger
	if b := s.job.broker; b != nil {
		c.Brokers, c.Dialer = []string{b.Addr()}, b.Dialer()
	}
	if s.queue, err = queue.Dial(ctx, c); err != nil {
		return err
	}
	if open := s.job.cfg.OpenStore; open != nil {
		s.store, err = open(ctx, s.topic)
		return err
	}
	s.store, err = openPebble(&s.job.cfg, s.stage)
	return err
}

func openPebble(c *Config, g *stage) (store.Store, error) {
	return pebble.Open(pebble.Options{Dir: filepath.Join(c.Data, "store", g.topic), Logger: c.Logger})
}

// closeBackends is the inverse of open, as far as that came.
func (j *Job) closeBackends() error {
	var errs []error
	for _, s := range j.stages {
		if s.queue != nil {
			s.queue.Close()
		}
	}
	if j.broker != nil {
		errs = append(errs, j.broker.Close())
	}
	for _, s := range j.stages {
		if s.store != nil {
			errs = append(errs, s.store.Close())
		}
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Unlock())
	}
	return errors.Join(errs...)
}
