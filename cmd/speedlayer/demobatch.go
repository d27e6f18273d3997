package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"speedlayer/node"
)

// showBatch has batch runs absorb the demo's log: the first computes everything
// anew and the pointer is switched; with the second the generation that the first
// one absorbed is dropped. The answers stay the same.
func showBatch(ctx context.Context, io streams, n *node.Node) error {
	answers := func() (string, error) {
		var text bytes.Buffer
		err := threeAnswers(ctx, streams{in: io.in, out: &text, err: io.err}, n.Engine())
		return text.String(), err
	}
	before, err := answers()
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, "\nThe batch layer recomputes all of it from the archived log, and queries switch to it:\n")
	for range 2 {
		began := time.Now()
		run, err := n.Batch().Run(ctx)
		if err != nil {
			return err
		}
		after, err := answers()
		if err != nil {
			return err
		}
		if after != before {
			return fmt.Errorf("demo: after batch run %d the answers are\n%s\nbefore it they were\n%s", run.Number, after, before)
		}
		s, err := n.Batch().Status(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(io.out, "batch run %d, %v: the same answers; realtime generations kept: %v, read: %v\n",
			run.Number, time.Since(began).Round(time.Millisecond), s.Generations, s.Open)
	}
	return showAccuracy(ctx, io, n)
}

// showAccuracy tells what the first run found out about the speed layer.
func showAccuracy(ctx context.Context, io streams, n *node.Node) error {
	all, err := n.Batch().Accuracy(ctx)
	if err != nil {
		return err
	}
	if len(all.Runs) == 0 {
		return errors.New("demo: the runs compared nothing")
	}
	first := &all.Runs[len(all.Runs)-1]
	fmt.Fprintf(io.out, "What the speed layer had said, of %d domains and %d pages:", first.Domains, first.Pages)
	for _, v := range first.Views {
		fmt.Fprintf(io.out, "\n%s exact in %s of %s hours", v.View, groups(int64(v.Exact)), groups(int64(v.Cells)))
		for _, c := range v.Causes {
			fmt.Fprintf(io.out, "; %s in %s", c.Cause, groups(int64(c.Cells)))
		}
	}
	fmt.Fprintln(io.out)
	return nil
}
