package main

import (
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"speedlayer/node"
)

// batchFlags report where the batch layer lies and when it runs.
type batchFlags struct {
	dir, archive            string
	views, memory           string
	every, lease, queryTime time.Duration
}

func (b *batchFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&b.dir, "batch-dir", "", "`DIR`ectory of the batch layer (default batch in --data); on a cluster, one that all processes share")
	flags.StringVar(&b.archive, "archive", "", "`URL` of the master dataset, the log in Parquet files: "+archiveForms+" (default archive in --batch-dir; on a cluster, none that is kept up to date); none for no archive and no batch runs")
	flags.StringVar(&b.views, "batch-views", "", "`URL` for the views of batch runs, forms as for --archive: each process fetches from there what it reads into its --batch-dir, which is its own then (default views in --batch-dir)")
	flags.DurationVar(&b.every, "batch-every", 0, "pause between the begins of batch runs, as in 6h; 0 runs none by itself")
	flags.DurationVar(&b.lease, "batch-lease", time.Minute, "silence of a process after which another one goes on with its batch run, on a cluster")
	flags.DurationVar(&b.queryTime, "query-time", 30*time.Second, "longest time of a query; on a cluster the same for all processes: so long realtime views are kept when a batch run has absorbed them")
	flags.StringVar(&b.memory, "batch-memory", "256MiB", "`SIZE` of what a batch run sorts in memory")
}

// archiveForms are what --archive takes.
const archiveForms = "a folder, or s3://BUCKET/FOLDER?region=R (and endpoint=https://HOST for another server that speaks S3)"

// apply checks the flags and sets what they say.
func (b *batchFlags) apply(n *node.Config) error {
	bytes, err := humanize.ParseBytes(b.memory)
	switch {
	case err != nil || bytes < 16<<20:
		return usagef("--batch-memory %q: allowed is a size of 16MiB or more", b.memory)
	case b.lease < time.Second:
		return usagef("--batch-lease %v: allowed is 1s or more", b.lease)
	case b.queryTime < time.Second || b.queryTime > time.Hour:
		return usagef("--query-time %v: allowed is 1s to 1h", b.queryTime)
	case b.every != 0 && b.every < time.Second:
		return usagef("--batch-every %v: allowed is 1s or more, or 0 for none", b.every)
	}
	if b.archive == node.NoArchive && b.every != 0 {
		return usagef("--archive none: a batch run reads the archive, so --batch-every needs one")
	}
	n.Batch = node.BatchConfig{Dir: b.dir, Archive: b.archive, Views: b.views, Every: b.every, MemoryBytes: int64(bytes), Follow: b.archive != node.NoArchive,
		Lease: b.lease, QueryTime: b.queryTime}
	return nil
}
