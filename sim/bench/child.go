package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"

	"speedlayer/event"
	"speedlayer/queue"
)

// childEnv asks a program that calls Child to be a node that is to be killed.
const childEnv = "SPEEDLAYER_BENCH_NODE"

// node is what the child is told, as JSON in the environment.
type node struct {
	Log, Store, Listen string
	SnapshotEvery      time.Duration
	MaxLogBytes        int64
	Ends               []int64 // when these are queryable it says so
}

// stages are what the child says of its start, in ms from the start of main.
type stages struct {
	Store, Broker, Located, Queryable float64
}

// Child makes this process the node that recovery kills, if it was started for
// that, and reports whether it was; main and TestMain call it first. The node is
// the embedded assembly: store, broker, processors. It says one line when all
// that it was told of is queryable, and stops gracefully at the end of standard
// input.
func Child() bool {
	text, ok := os.LookupEnv(childEnv)
	if !ok {
		return false
	}
	if err := child(context.Background(), text); err != nil {
		fmt.Fprintln(os.Stderr, "benchmark's node:", err)
		os.Exit(1)
	}
	return true
}

func child(ctx context.Context, text string) (err error) {
	began := time.Now()
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return err
	}
	o, err := Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}.withDefaults()
	if err != nil {
		return err
	}
	var at stages
	var s *system
	var q *logQueue
	var opening errgroup.Group // side by side, as serve does
	opening.Go(func() (err error) {
		q, err = openQueue(ctx, o, n.Log, n.Listen)
		at.Broker = ms(time.Since(began))
		return err
	})
	opening.Go(func() (err error) {
		s, err = openStore(o, n.Store)
		at.Store = ms(time.Since(began))
		return err
	})
	if err := opening.Wait(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(), q.close()) }()
	s.queue, s.snapshotEvery = q.client, n.SnapshotEvery
	if err := s.locate(ctx); err != nil {
		return err
	}
	at.Located = ms(time.Since(began))
	log := newBoundedLog(q.client, n.MaxLogBytes, s.epoch.Starts)
	s.snapshotted = log.snapshotted
	s.start(ctx)
	keeping, stop := context.WithCancel(ctx)
	var kept errgroup.Group
	kept.Go(func() error { return log.keep(keeping) })
	defer func() { stop(); err = errors.Join(kept.Wait(), err) }()
	if err := s.probe(ctx, n.Ends); err != nil {
		return err
	}
	at.Queryable = ms(time.Since(began))
	if err := json.NewEncoder(os.Stdout).Encode(at); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// probe returns when all below ends is queryable and a new pageview in each
// partition is, which shows that its processor is at work again.
func (s *system) probe(ctx context.Context, ends []int64) error {
	if err := s.wait(ctx, ends); err != nil {
		return err
	}
	var messages []queue.Message
	for n := 0; len(messages) < partitions; n++ {
		person := fmt.Appendf(nil, "probe-%d", n)
		if queue.PartitionOf(person, partitions) != int32(len(messages)) {
			continue
		}
		pv := event.Pageview{Person: person, URL: []byte("http://probe.example/"), TS: time.Now().UnixMilli()}
		messages = append(messages, queue.Message{Person: person, Value: event.AppendJSON(nil, &pv)})
	}
	at, err := s.queue.AppendSync(ctx, messages)
	if err != nil {
		return err
	}
	return s.progress.Wait(ctx, at)
}

// process is a running child, seen from outside.
type process struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	startup time.Duration // from before exec until everything was queryable
	at      stages
}

// startNode runs a node and waits until it says that n.Ends are queryable.
func startNode(ctx context.Context, n node) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	p.startup = time.Since(began)
	if err == nil {
		err = json.Unmarshal(line, &p.at)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the node did not get ready: %w", err), p.kill())
	}
	return p, nil
}

// kill is SIGKILL: the process does nothing any more.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says that it was killed
	return err
}

// stop is a graceful stop.
func (p *process) stop() error {
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}
