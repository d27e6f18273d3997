package worker

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake is an engine whose ranges do what a test says.
type fake struct {
	run func(ctx context.Context, r Range, alive func()) (*Counts, error)
}

func (f *fake) Identity(context.Context) (store, fingerprint string, err error) {
	return "5707e", "f1", nil
}

func (f *fake) Plan(_ context.Context, at Standing) (*Plan, error) {
	if at.Store != "" && at.Store != "5707e" {
		return nil, &FatalError{errors.New("another store")}
	}
	return &Plan{1, "70b1c", []int64{0, 3}, []int64{9, 9}}, nil
}

func (f *fake) Commits(context.Context) (*Commits, error) {
	return nil, errors.New("the store is away")
}

func (f *fake) Run(ctx context.Context, r Range, alive func()) (*Counts, error) {
	return f.run(ctx, r, alive)
}

// peer is Spark's side of a connection.
type peer struct {
	t   *testing.T
	net net.Conn
	r   *bufio.Reader
}

// serve answers a connection by an engine, in a bubble where time is virtual.
func serve(t *testing.T, f *fake, do func(p *peer)) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			(&Server{Engine: f, Logger: slog.New(slog.DiscardHandler)}).serveConn(ctx, there)
			close(done)
		}()
		do(&peer{t, here, bufio.NewReader(here)})
		_ = here.Close()
		cancel()
		<-done
	})
}

func (p *peer) send(line string) {
	p.t.Helper()
	if _, err := p.net.Write([]byte(line + "\n")); err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
}

// want reads one line.
func (p *peer) want(line string) {
	p.t.Helper()
	got, err := p.r.ReadString('\n')
	if strings.TrimSuffix(got, "\n") != line {
		p.t.Fatalf("the worker answers %q (%v), want %q", got, err, line)
	}
}

// closed wants the worker to close the connection.
func (p *peer) closed() {
	p.t.Helper()
	if got, err := p.r.ReadString('\n'); err == nil {
		p.t.Fatalf("the worker answers %q, and should have closed", got)
	}
}

func TestConversation(t *testing.T) {
	var ran []Range
	f := &fake{run: func(_ context.Context, r Range, _ func()) (*Counts, error) {
		ran = append(ran, r)
		switch r.Partition {
		case 1:
			return nil, &EndedError{Newest: 4}
		case 2:
			return nil, errors.New("Kafka is away")
		case 3:
			return nil, &FatalError{errors.New("change --store")}
		}
		return &Counts{Records: r.Until - r.From, Events: 2}, nil
	}}
	serve(t, f, func(p *peer) {
		for _, x := range []struct{ ask, answer string }{
			{"HELLO 1 -", "WELCOME 1 f1 5707e"},
			{"PLAN - 0 -", "PLANNED 1 70b1c 0,3 9,9"},
			{"PLAN 5707e 0 70b1c", "PLANNED 1 70b1c 0,3 9,9"},
			{"PLAN 0 0 70b1c", "FATAL another store"},
			{"COMMITS", "RETRY the store is away"},
			{"RUN 1 0 3 9", "DONE 6 2 0 0 0"},
			{"RUN 1 1 3 9", "ENDED 4"},
			{"RUN 1 2 3 9", "RETRY Kafka is away"},
			{"RUN 1 3 3 9", "FATAL change --store"},
			{"RUN 1 0 9 9", "DONE 0 2 0 0 0"}, // it is of use after all of that
		} {
			p.send(x.ask)
			p.want(x.answer)
		}
	})
	if len(ran) != 5 || ran[0] != (Range{1, 0, 3, 9}) {
		t.Errorf("ran %v", ran)
	}
}

// A worker works for those alone who speak its protocol, and work on the same.
func TestStrict(t *testing.T) {
	never := &fake{run: func(context.Context, Range, func()) (*Counts, error) {
		t.Error("a range was run")
		return &Counts{}, nil
	}}
	for _, c := range []struct {
		lines, says string
		open        bool // the connection stays
	}{
		{"RUN 1 0 3 9", "FATAL worker: not a line of the protocol: HELLO comes first, and once", false},
		{"HELLO 2 -", "FATAL the jar speaks version 2 of the protocol, and this speedlayer version 1: take both of one release", true},
		{"HELLO 1 f2", "FATAL the driver works on another topic or store", true},
		{"HELLO 1 f1\nHELLO 1 f1", "FATAL worker: not a line of the protocol: HELLO comes first, and once", false},
		{"HELLO 1 f1\nRUN 1 0 3", "FATAL worker: not a line of the protocol", false},
	} {
		serve(t, never, func(p *peer) {
			lines := strings.Split(c.lines, "\n")
			for _, l := range lines[:len(lines)-1] {
				p.send(l)
				p.want("WELCOME 1 f1 5707e")
			}
			p.send(lines[len(lines)-1])
			got, _ := p.r.ReadString('\n')
			if !strings.HasPrefix(got, c.says) {
				t.Errorf("%q: the worker answers %q, want %q", c.lines, got, c.says)
			}
			if !c.open {
				p.closed()
			}
		})
	}
	serve(t, never, func(p *peer) { // a line without an end
		go func() { _, _ = p.net.Write([]byte(strings.Repeat("x", maxLine+1))) }()
		p.closed()
	})
}

// While a range makes progress there are beats, and after that there are none,
// although it does not end.
func TestBeats(t *testing.T) {
	var stuck chan struct{}
	f := &fake{run: func(ctx context.Context, r Range, alive func()) (*Counts, error) {
		if r.Partition == 0 {
			for range 300 {
				time.Sleep(time.Second)
				alive()
			}
			return &Counts{Events: 300}, nil
		}
		<-ctx.Done()
		if r.Partition == 2 {
			<-stuck // it does not even end when it is cancelled
		}
		return nil, context.Cause(ctx)
	}}
	serve(t, f, func(p *peer) {
		stuck = make(chan struct{}) // of the bubble
		p.send("HELLO 1 f1")
		p.want("WELCOME 1 f1 5707e")
		p.send("RUN 1 0 0 9")
		for range 299 {
			p.want("BEAT")
		}
		line, _ := p.r.ReadString('\n')
		if line == "BEAT\n" {
			line, _ = p.r.ReadString('\n')
		}
		if line != "DONE 0 300 0 0 0\n" {
			t.Errorf("after 299 beats: %q", line)
		}
		p.send("RUN 1 1 0 9")
		beats := 0
		for line, _ = p.r.ReadString('\n'); line == "BEAT\n"; line, _ = p.r.ReadString('\n') {
			beats++
		}
		if beats >= 60 || line != "RETRY worker: no progress for 1m0s\n" {
			t.Errorf("a range without progress has %d beats, then %q", beats, line)
		}
		p.send("RUN 1 2 0 9")
		_ = p.net.SetReadDeadline(time.Now().Add(time.Hour))
		for beats = 0; ; beats++ {
			if line, _ = p.r.ReadString('\n'); line != "BEAT\n" {
				break
			}
		}
		if beats >= 60 || line != "" {
			t.Errorf("a range that is stuck has %d beats in an hour, then %q", beats, line)
		}
		close(stuck)
	})
}

// Closing the connection cancels the range, and so does a second request.
func TestCancel(t *testing.T) {
	for _, how := range []func(p *peer){
		func(p *peer) { _ = p.net.Close() },
		func(p *peer) { p.send("COMMITS"); p.closed() },
	} {
		cancelled := false
		f := &fake{run: func(ctx context.Context, _ Range, _ func()) (*Counts, error) {
			<-ctx.Done()
			cancelled = true
			return nil, context.Cause(ctx)
		}}
		serve(t, f, func(p *peer) {
			p.send("HELLO 1 f1")
			p.want("WELCOME 1 f1 5707e")
			p.send("RUN 1 1 0 9")
			synctest.Wait()
			how(p)
			synctest.Wait()
			if !cancelled {
				t.Error("the range goes on")
			}
		})
	}
}
