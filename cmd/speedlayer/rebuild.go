package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"speedlayer/node"
)

func newRebuild(io streams) *cobra.Command {
	var data string
	var batch batchFlags
	cmd := &cobra.Command{
		Use:   "rebuild --data DIR",
		Short: "Make a damaged store again, from the log and the archive",
		Long: `Sets the store of a data directory aside, and makes it again: the whole log is
counted, as it was the first time, and what the log does not have any more comes
from the archive by a batch run. Afterwards all answers are what they were. The
process that serves the directory must be stopped.

The old store is kept as store.damaged-1 (-2, ...) in the directory. Remove it when
nobody wants to look at it.`,
		Example: "  speedlayer rebuild --data /var/lib/speedlayer",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRebuild(cmd.Context(), io, data, batch) },
	}
	cmd.Flags().StringVar(&data, "data", "", "data `DIR`ectory")
	batch.add(cmd.Flags())
	return cmd
}

func runRebuild(ctx context.Context, io streams, data string, batch batchFlags) error {
	if data == "" || !exists(data) {
		return usagef("--data %q: allowed is a data directory that is there", data)
	}
	logger, err := (&logFlags{level: "info", format: "text"}).logger(io.err)
	if err != nil {
		return err
	}
	config := node.Config{Data: data, Logger: logger}
	if err := batch.apply(&config); err != nil {
		return err
	}
	config.Batch.Every = 0
	done, err := node.Rebuild(ctx, config)
	if err != nil {
		return fmt.Errorf("the store is not complete, begin again: %w", err)
	}
	fmt.Fprintf(io.out, "events      %s\n", groups(done.Events))
	if done.Run {
		fmt.Fprintln(io.out, "batch run   for what the log does not have any more")
	}
	if done.Aside != "" {
		fmt.Fprintf(io.out, "old store   %s\n", done.Aside)
	}
	return nil
}
