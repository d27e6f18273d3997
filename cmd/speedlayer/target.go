package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"speedlayer/collector/importer"
	"speedlayer/node"
	"speedlayer/query"
	"speedlayer/query/api"
)

// localServer is where serve listens by default.
const localServer = "http://127.0.0.1:8080"

// targetFlags say whom to ask: a server, or a data directory that no server
// holds.
type targetFlags struct{ server, data string }

func (w *targetFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&w.server, "server", "", "`URL` of a server (default "+localServer+")")
	flags.StringVar(&w.data, "data", "", "data `DIR`ectory, opened directly when no server holds it")
}

// serverURL is the server meant; http:// may be left out.
func (w *targetFlags) serverURL() string {
	switch {
	case w.server == "":
		return localServer
	case !strings.Contains(w.server, "://"):
		return "http://" + w.server
	}
	return w.server
}

// target is what a command works on: a server, or a node of its own.
type target struct {
	answers query.Answers
	sink    importer.Sink
	batch   batchControl
	node    *node.Node // nil with a server
}

// openTarget opens what the flags say. With make, a data directory that is not
// there is made; a query of one is an error.
func (w *targetFlags) openTarget(ctx context.Context, io streams) (*target, error) {
	return w.open(ctx, io, true)
}

// openAnswers opens what the flags say for questions only.
func (w *targetFlags) openAnswers(ctx context.Context, io streams) (*target, error) {
	return w.open(ctx, io, false)
}

func (w *targetFlags) open(ctx context.Context, io streams, make bool) (*target, error) {
	switch {
	case w.data != "" && w.server != "":
		return nil, usagef("--server and --data exclude each other")
	case w.data != "":
		return openData(ctx, io, w.data, make)
	}
	server := w.serverURL()
	client := serverClient()
	answers, err := api.NewClient(server, client)
	if err != nil {
		return nil, usageError{err}
	}
	return &target{
		answers: answers,
		sink:    &importer.Server{URL: server, Client: client},
		batch:   node.NewBatchClient(server, client),
	}, nil
}

// openData opens a data directory as a node without HTTP, with the settings it
// has. What its log holds already is made queryable first.
func openData(ctx context.Context, io streams, dir string, make bool) (*target, error) {
	if !make && !exists(filepath.Join(dir, "store")) {
		return nil, usagef("--data %s: there is no data of speedlayer", dir)
	}
	quiet := logFlags{level: "warn", format: "text"}
	logger, err := quiet.logger(io.err)
	if err != nil {
		return nil, err
	}
	n, err := node.Open(ctx, node.Config{Data: dir, Keep: true, Logger: logger})
	if err != nil {
		return nil, err
	}
	if err := n.CatchUp(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return &target{answers: n.Engine(), sink: importer.Local{Ledger: n.Imports()}, batch: n.Batch(), node: n}, nil
}

// applied returns when what was imported is queryable.
func (t *target) applied(ctx context.Context, r importer.Report) error {
	switch server, ok := t.sink.(*importer.Server); {
	case t.node != nil:
		return t.node.CatchUp(ctx)
	case ok && r.Behind:
		return server.Applied(ctx, r.Last)
	}
	return nil
}

// duplicates is how many records a node of its own dropped as seen before. Those of a
// server may be others'.
func (t *target) duplicates(ctx context.Context) (int64, error) {
	if t.node == nil {
		return 0, nil
	}
	s, err := t.answers.Status(ctx)
	if err != nil {
		return 0, err
	}
	return s.Counts.Duplicates, nil
}

// exists reports whether a path is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (t *target) close() error {
	if t.node == nil {
		return nil
	}
	return t.node.Close()
}
