package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/batch/archive"
	"speedlayer/store"
)

// lossFlags name a loss.
type lossFlags struct {
	archive   archiveFlags
	epoch     uint32
	partition int32
	from, to  int64
	why       string
}

func newAcceptLoss(io streams) *cobra.Command {
	var f lossFlags
	cmd := &cobra.Command{
		Use:   "accept-loss --partition P --from OFFSET --to OFFSET [--epoch E] [--why TEXT]",
		Short: "Go on without records that the log lost before they were archived",
		Long: `Batch runs are refused while the archive has a hole: what they make would lack its
records, and the realtime views that still have them would be dropped. Where they
are lost for good ("archive status" lists them) that is for you to decide. From
then on runs go on, and answers say how many records are missing. It cannot be
taken back. What realtime views count of these records is gone with the next run.`,
		Example: "  speedlayer archive status\n  speedlayer archive accept-loss --partition 3 --from 120000 --to 120417 --why \"retention was a day, the archive was down for two\"",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"partition", "from", "to"} {
				if !cmd.Flags().Changed(name) {
					return usagef("--%s is missing: \"speedlayer archive status\" lists what is lost", name)
				}
			}
			return runAcceptLoss(cmd.Context(), io, f)
		},
	}
	f.archive.add(cmd.Flags())
	flags := cmd.Flags()
	flags.Uint32Var(&f.epoch, "epoch", 0, "log epoch")
	flags.Int32Var(&f.partition, "partition", 0, "partition")
	flags.Int64Var(&f.from, "from", 0, "first offset that is lost")
	flags.Int64Var(&f.to, "to", 0, "offset after the last")
	flags.StringVar(&f.why, "why", "", "`TEXT` that is kept with it")
	return cmd
}

func runAcceptLoss(ctx context.Context, io streams, f lossFlags) (err error) {
	objects, _, err := f.archive.open(ctx)
	if err != nil {
		return err
	}
	a, err := archive.NewArchiver(archive.Config{Objects: objects, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return errors.Join(err, objects.Close())
	}
	defer func() { err = errors.Join(err, a.Close(), objects.Close()) }()
	shard := store.Shard{Epoch: f.epoch, Partition: f.partition}
	m, err := a.AcceptLoss(ctx, shard, f.from, f.to, f.why, time.Now())
	if errors.Is(err, archive.ErrNoLoss) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%v: [%d, %d) is accepted as lost", shard, f.from, f.to)
	if err := m.Covers(m.Vector()); err != nil {
		fmt.Fprintf(io.out, "; batch runs are still refused: %v\n", err)
		return nil
	}
	fmt.Fprintln(io.out, "; no other hole is left")
	return nil
}

// acceptance is the line that tells who accepted a loss, and when.
func acceptance(a *archive.Accepted) string {
	if a == nil {
		return ""
	}
	text := "; accepted " + time.UnixMilli(a.At).UTC().Format(time.RFC3339)
	if a.Why != "" {
		text += ": " + a.Why
	}
	return text
}
