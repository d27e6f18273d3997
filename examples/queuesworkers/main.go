// Command queuesworkers counts pageviews by URL and hour in three ways, and compares
// them: with queues and workers, with micro-batches of one pageview, and with
// micro-batches. README.md tells more.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

const usage = `usage: queuesworkers [--events N] [--kills N] [--seed N]

Counts pageviews with queues and workers, with micro-batches of one pageview each,
and with micro-batches, from a queue in this process. Each system is a process of its
own, which is killed with SIGKILL while it works. Prints a table: pageviews a second,
latency, and what was lost and counted twice.

  --events N   pageviews for queues and workers (default 5000); the other two get
               10 and 100 times as many, since they are faster
  --kills N    how often each system is killed (default 10)
  --seed N     of the pageviews and of the moments of kills (default: the time)
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := pflag.NewFlagSet("queuesworkers", pflag.ContinueOnError)
	flags.Usage = func() {}
	var o options
	flags.IntVar(&o.events, "events", 5000, "")
	flags.IntVar(&o.kills, "kills", 10, "")
	flags.Uint64Var(&o.seed, "seed", 0, "")
	name := flags.String("system", "", "")     // run this system, as a child of the comparison
	brokers := flags.String("brokers", "", "") // where its queue is
	dir := flags.String("dir", "", "")         // where its counts are
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Print(usage)
		return
	case err != nil:
		exit(2, fmt.Errorf("%w\n%s", err, usage))
	case flags.NArg() > 0:
		exit(2, fmt.Errorf("there are %d arguments: allowed is none\n%s", flags.NArg(), usage))
	case o.events < 1 || o.events > 1_000_000:
		exit(2, fmt.Errorf("--events %d: allowed is 1 to 1000000\n%s", o.events, usage))
	case o.kills < 0 || o.kills > 1000:
		exit(2, fmt.Errorf("--kills %d: allowed is 0 to 1000\n%s", o.kills, usage))
	}
	var err error
	if *name != "" {
		err = serve(ctx, *name, *brokers, *dir)
	} else {
		err = compare(ctx, o, os.Stdout, os.Stderr)
	}
	if err != nil {
		exit(1, err)
	}
}

func exit(status int, err error) {
	fmt.Fprintln(os.Stderr, "queuesworkers:", err)
	os.Exit(status)
}
