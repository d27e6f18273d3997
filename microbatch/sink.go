package microbatch

import (
	"context"

	"speedlayer/queue"
)

// moverSink sends through one idempotent producer, which fails everything
// behind a failed record; after a failure it is replaced.
type moverSink struct {
	client *queue.Client
	mover  *queue.Mover
}

// Send implements Sink.
func (s *moverSink) Send(ctx context.Context, out []Outgoing) error {
	if s.mover == nil {
		m, err := s.client.NewMover()
		if err != nil {
			return err
		}
		s.mover = m
	}
	for i := range out {
		o := &out[i]
		if o.Dead {
			s.mover.DeadLetter(o.Record, o.Source, o.Reason)
		} else {
			s.mover.Move(o.Target, o.Record.Key, o.Value, o.Source)
		}
	}
	err := s.mover.Flush(ctx)
	if err != nil {
		s.close()
	}
	return err
}

func (s *moverSink) close() {
	if s.mover != nil {
		s.mover.Close()
		s.mover = nil
	}
}
