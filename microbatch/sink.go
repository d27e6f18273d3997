package microbatch

import (
	"context"

	"speedlayer/queue"
)

// rerouterSink sends through one idempotent producer, which fails everything
// after a failed record; after a failure it is replaced.
type rerouterSink struct {
	client   *queue.Client
	rerouter *queue.Rerouter
}

// Send implements Sink.
func (s *rerouterSink) Send(ctx context.Context, out []Outgoing) error {
	if s.rerouter == nil {
		m, err := s.client.NewRerouter()
		if err != nil {
			return err
		}
		s.rerouter = m
	}
	for i := range out {
		o := &out[i]
		switch {
		case o.Dead:
			s.rerouter.DeadLetter(o.Record, o.Source, o.Reason)
		case o.Topic != "":
			s.rerouter.Forward(o.Topic, o.Target, nil, o.Value, o.Source)
		default:
			s.rerouter.Reroute(o.Target, o.Record.Key, o.Value, o.Source)
		}
	}
	err := s.rerouter.Flush(ctx)
	if err != nil {
		s.close()
	}
	return err
}

func (s *rerouterSink) close() {
	if s.rerouter != nil {
		s.rerouter.Close()
		s.rerouter = nil
	}
}
