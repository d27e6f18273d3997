package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/node"
)

// batchControl is the batch layer of this process, or of a server.
type batchControl interface {
	Status(ctx context.Context) (*node.BatchStatus, error)
	Start(ctx context.Context) error
	Rollback(ctx context.Context) error
	Accuracy(ctx context.Context) (*node.Accuracies, error)
}

func newBatch(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "batch run|rollback|status",
		Short: "Have the batch layer absorb the log, or go back to the run before",
		Long: `A batch run recomputes all views from the master dataset, the log's archive.
When it is complete, answers are made of its views and of what has come since,
and the realtime views that it absorbed are dropped. The run before is kept, so
that one step back is possible until the next run completes.`,
		Example: "  speedlayer batch run\n  speedlayer serve --batch-every 6h",
		Args:    noCommand,
		RunE: func(*cobra.Command, []string) error {
			return usagef("batch needs a command: allowed are run, rollback, status")
		},
	}
	cmd.AddCommand(
		newBatchCommand(io, "run", "Do a batch run, or go on with the one that was cut short", runBatch),
		newBatchCommand(io, "rollback", "Go back to the run before", func(ctx context.Context, _ streams, b batchControl) error { return b.Rollback(ctx) }),
		newBatchCommand(io, "status", "The runs, and what answers are made of", func(context.Context, streams, batchControl) error { return nil }),
	)
	return cmd
}

// newBatchCommand is a command that does something and prints the status.
func newBatchCommand(io streams, name, short string, do func(context.Context, streams, batchControl) error) *cobra.Command {
	var target targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: name, Short: short, Example: "  speedlayer batch " + name, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			t, err := target.openAnswers(ctx, io)
			if err != nil {
				return err
			}
			s, err := doBatch(ctx, io, t.batch, do)
			if err2 := t.close(); err == nil {
				err = err2
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(io.out).Encode(s)
			}
			return printBatch(io.out, s)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	target.add(cmd.Flags())
	return cmd
}

func doBatch(ctx context.Context, io streams, b batchControl, do func(context.Context, streams, batchControl) error) (*node.BatchStatus, error) {
	if err := do(ctx, io, b); err != nil {
		return nil, err
	}
	return b.Status(ctx)
}

// batchPoll is the pause between two looks at a run under way.
const batchPoll = 100 * time.Millisecond

// runBatch has a run begun, and shows how far it is until it has ended.
func runBatch(ctx context.Context, io streams, b batchControl) error {
	before, err := b.Status(ctx)
	if err != nil {
		return err
	}
	if err := b.Start(ctx); err != nil {
		return err
	}
	shown := newProgress(io.err, "batch run")
	defer shown.finish()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(batchPoll):
		}
		s, err := b.Status(ctx)
		switch {
		case err != nil:
			return err
		case s.Ended > before.Ended:
			if s.Error != "" {
				return errors.New(s.Error)
			}
			return nil
		case s.Running != nil && s.Running.Step == "compute":
			shown.update(int64(s.Running.Share*1000), 1000, "steps")
		}
	}
}

func printBatch(out io.Writer, s *node.BatchStatus) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name string, r *node.BatchRun) {
		if r == nil {
			fmt.Fprintf(w, "%s\tnone\n", name)
			return
		}
		var records int64
		for _, v := range r.Vector {
			records += v.Offset
		}
		fmt.Fprintf(w, "%s\trun %d\tthe log as of %s, %s records\n", name, r.Number, r.Until, groups(records))
	}
	line("current", s.Current)
	line("before", s.Previous)
	if r := s.Running; r != nil {
		text := "step " + r.Step
		switch {
		case r.Failed != "":
			text = "failed: " + r.Failed
		case r.Owner != "" && r.Step == "":
			text = "by " + r.Owner
		}
		fmt.Fprintf(w, "not complete\trun %d\t%s\n", r.Number, text)
	}
	fmt.Fprintf(w, "generations\t%v\tanswers read %v\n", s.Generations, s.Open)
	return w.Flush()
}
