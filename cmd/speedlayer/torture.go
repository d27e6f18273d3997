package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"speedlayer/sim/torture"
)

type tortureFlags struct {
	kills, rate int
	seed        uint64
	data        string
	json        bool
}

func newTorture(io streams) *cobra.Command {
	var f tortureFlags
	cmd := &cobra.Command{
		Use:   "torture --kills N [--seed S] [--rate R] [--data DIR]",
		Short: "Kill the program again and again under load, and check that nothing is lost or doubled",
		Long: `Runs this program as a process of its own, over a fresh data directory, kills it
(kill -9) at random times while clients post with retries, and starts it again.
At the end everything that was acknowledged must be counted exactly once, and
verify must find no difference; else it exits with 1 and leaves the data there.`,
		Example: "  speedlayer torture --kills 100 --rate 5000",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				f.seed = rand.Uint64()
			}
			return runTorture(cmd.Context(), io, f)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.kills, "kills", 30, "how often to kill it")
	flags.Uint64Var(&f.seed, "seed", 0, "when to kill, and what clients post (default random)")
	flags.IntVar(&f.rate, "rate", 2000, "pageviews a second, of all clients")
	flags.StringVar(&f.data, "data", "", "`DIR`ectory for the data, which must not be there yet (default a temporary one)")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

func (f *tortureFlags) check() error {
	switch {
	case f.kills < 1 || f.kills > 1_000_000:
		return usagef("--kills %d: allowed are 1 to 1,000,000", f.kills)
	case f.rate < 1 || f.rate > 100_000:
		return usagef("--rate %d: allowed are 1 to 100,000", f.rate)
	case f.data != "" && exists(f.data):
		return usagef("--data %s is there already: allowed is a directory to be made", f.data)
	}
	return nil
}

func runTorture(ctx context.Context, io streams, f tortureFlags) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, temporary := f.data, f.data == ""
	if temporary {
		if dir, err = os.MkdirTemp("", "speedlayer-torture-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	report, err := tortureProgram(ctx, io, f, self, nil, dir)
	if err == nil && temporary && report.OK() {
		return os.RemoveAll(dir)
	}
	fmt.Fprintf(io.err, "speedlayer: data in %s, what the processes said in %s\n", filepath.Join(dir, "data"), filepath.Join(dir, tortureLog))
	switch {
	case err != nil:
		return fmt.Errorf("torture with seed %d: %w", f.seed, err)
	case !report.OK():
		return errors.New("what was acknowledged is not what was counted")
	}
	return nil
}

// tortureLog is what instances say, in the torture's directory.
const tortureLog = "serve.log"

// tortureProgram tortures the program at a path, with env added to its
// environment, and prints the report.
func tortureProgram(ctx context.Context, io streams, f tortureFlags, program string, env []string, dir string) (report *torture.Report, err error) {
	log, err := os.Create(filepath.Join(dir, tortureLog))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	fmt.Fprintf(io.err, "torture: seed %d, %d kills, %d pageviews/s\n", f.seed, f.kills, f.rate)
	report, err = torture.Run(ctx, torture.Config{
		Kills: f.kills, Seed: f.seed, Rate: f.rate, Log: io.err,
		System: &torture.Process{Program: program, Env: env, Data: filepath.Join(dir, "data"), Output: log,
			// Snapshots are often under way when it is killed.
			Serve: []string{"--snapshot-every", "500ms"}},
	})
	if err != nil {
		return report, err
	}
	if f.json {
		return report, json.NewEncoder(io.out).Encode(report)
	}
	_, err = fmt.Fprint(io.out, report)
	return report, err
}
