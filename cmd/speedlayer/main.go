package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// gcPercent trades processor for memory: most of what is alive is what dedupe and
// visits remember, in slices without pointers, so that a collection is cheap and
// the room that the default would leave for garbage is large (docs/performance.md).
// The environment's GOGC overrules it.
const gcPercent = 33

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// SIGTERM and Ctrl-C ask for a graceful stop; a second one ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
