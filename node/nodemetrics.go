package node

import (
	"context"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"speedlayer/batch/archive"
	"speedlayer/store"
	"speedlayer/view"
)

// watch makes the node's positions and sizes part of each scrape.
func (m *metrics) watch(n *Node) { m.registry.MustRegister(&nodeCollector{n: n}) }

// nodeCollector asks queue and store at each scrape. Partitions are those that
// this process works on, so that the sum over all processes is the whole.
type nodeCollector struct{ n *Node }

var (
	lagDesc       = prometheus.NewDesc("speedlayer_lag_records", "Records in the log that are not yet in the views.", []string{"partition"}, nil)
	committedDesc = prometheus.NewDesc("speedlayer_committed_offset", "Offset up to which a partition is committed.", []string{"partition"}, nil)
	recordsDesc   = prometheus.NewDesc("speedlayer_records_total", "Records of the log since its epoch began, by what became of them.", []string{"partition", "result"}, nil)
	dedupeDesc    = prometheus.NewDesc("speedlayer_dedupe_entries", "Pairs (nonce, person) that dedupe remembers.", []string{"partition"}, nil)
	visitsDesc    = prometheus.NewDesc("speedlayer_visits_entries", "Visits remembered.", []string{"partition"}, nil)
	ownedDesc     = prometheus.NewDesc("speedlayer_partitions_owned", "Partitions that this process works on.", nil, nil)
	epochDesc     = prometheus.NewDesc("speedlayer_log_epoch", "Number of the log epoch that this process works in.", nil, nil)
	membersDesc   = prometheus.NewDesc("speedlayer_group_members", "Processes in the consumer group.", nil, nil)
	storeDesc     = prometheus.NewDesc("speedlayer_store_bytes", "Size of the store.", []string{"where"}, nil)
	rowsDesc      = prometheus.NewDesc("speedlayer_store_rows_total", "Rows of cells put into the store: those of a url and a day that one micro-batch changed.", nil, nil)
	retriesDesc   = prometheus.NewDesc("speedlayer_store_retries_total", "Requests to the store that were tried again: regions that moved, servers that were away.", nil, nil)
	failuresDesc  = prometheus.NewDesc("speedlayer_store_failures_total", "Requests to the store that were given up; their work is offered again.", nil, nil)
	renewalsDesc  = prometheus.NewDesc("speedlayer_store_renewals_total", "Clients of the store that were replaced, since a region did not answer.", nil, nil)
	archiveLag    = prometheus.NewDesc("speedlayer_archive_lag_records", "Committed records that are not yet in the archive.", []string{"partition"}, nil)
	archiveBytes  = prometheus.NewDesc("speedlayer_archive_bytes", "Size of the archive's files.", nil, nil)
	archiveLost   = prometheus.NewDesc("speedlayer_archive_lost_records", "Offsets that the log lost before they were archived.", nil, nil)
	queueDesc     = prometheus.NewDesc("speedlayer_queue_bytes", "Size of the log on disk.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *nodeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagDesc, committedDesc, recordsDesc, dedupeDesc, visitsDesc, ownedDesc, epochDesc, membersDesc, storeDesc, rowsDesc, retriesDesc, failuresDesc, renewalsDesc, queueDesc, archiveLag, archiveBytes, archiveLost} {
		ch <- d
	}
	describeBatch(ch)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v int64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
}

// Collect implements prometheus.Collector. What cannot be reached is missing in
// the scrape rather than zero.
func (c *nodeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	owned := c.n.owned()
	gauge(ch, ownedDesc, int64(len(owned)))
	gauge(ch, epochDesc, int64(c.n.epochNow().Number))
	committed := c.n.progress.Committed()
	owned = slices.DeleteFunc(owned, func(part int32) bool { return int(part) >= len(committed) })
	if info, err := c.n.queue.Info(ctx); err == nil {
		for _, part := range owned {
			if int(part) < len(info.Stable) {
				gauge(ch, lagDesc, max(0, info.Stable[part]-committed[part]), strconv.Itoa(int(part)))
			}
		}
	}
	for _, part := range owned {
		gauge(ch, committedDesc, committed[part], strconv.Itoa(int(part)))
	}
	if m := c.n.batch.layer.ArchivedHere(); m != nil {
		collectArchive(ch, m, c.n.epochNow(), committed)
	}
	if c.n.opts.shared() {
		if members, err := c.n.queue.Members(ctx, c.n.opts.Group); err == nil {
			gauge(ch, membersDesc, int64(len(members)))
		}
	}
	if size, err := c.n.queue.Size(ctx); err == nil {
		gauge(ch, queueDesc, size)
	}
	if s, err := c.n.store.Stats(ctx); err == nil {
		gauge(ch, storeDesc, s.DiskBytes, "disk")
		gauge(ch, storeDesc, s.MemoryBytes, "memory")
	}
	if f, ok := c.n.faults(); ok {
		count := func(d *prometheus.Desc, n int64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
		}
		if s, ok := c.n.store.(interface{ Rows() int64 }); ok {
			count(rowsDesc, s.Rows())
		}
		count(retriesDesc, f.Retries)
		count(failuresDesc, f.Failures)
		count(renewalsDesc, f.Renewals)
	}
	c.n.batch.collect(ctx, ch)
	if commits, err := c.commits(ctx); err == nil {
		for _, part := range owned {
			if r, ok := commits[part]; ok {
				collectCounts(ch, part, r)
			}
		}
	}
}

// commits reads the commit row of each partition, in this log epoch.
func (c *nodeCollector) commits(ctx context.Context) (map[int32]store.CommitRecord, error) {
	r, err := c.n.store.Read(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all, err := r.Commits(ctx)
	if err != nil {
		return nil, err
	}
	records := make(map[int32]store.CommitRecord)
	for _, sc := range all {
		if sc.Shard.Epoch != c.n.epochNow().Number || len(sc.Commit.Record) == 0 {
			continue
		}
		if records[sc.Shard.Partition], err = store.DecodeCommitRecord(sc.Commit.Record); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func collectCounts(ch chan<- prometheus.Metric, part int32, r store.CommitRecord) {
	label := strconv.Itoa(int(part))
	for result, n := range map[string]int64{"event": r.Events, "duplicate": r.Duplicates, "refused": r.Rejected,
		"moved_out": r.ReroutedOut, "moved_again": r.ReroutedAgain, "marker": r.Markers + r.MarkersIgnored} {
		ch <- prometheus.MustNewConstMetric(recordsDesc, prometheus.CounterValue, float64(n), label, result)
	}
	gauge(ch, dedupeDesc, r.DedupeEntries, label)
	if c, err := view.DecodeCounts(r.Operator); err == nil {
		gauge(ch, visitsDesc, c.VisitEntries, label)
	}
}

// collectArchive describes the archive that this process writes.
func collectArchive(ch chan<- prometheus.Metric, m *archive.Manifest, e store.Epoch, committed []int64) {
	var bytes, lost int64
	for i := range m.Shards {
		for _, f := range m.Shards[i].Files {
			bytes += f.Bytes
		}
		for _, h := range m.Shards[i].Lost {
			lost += h.To - h.From
		}
	}
	gauge(ch, archiveBytes, bytes)
	gauge(ch, archiveLost, lost)
	for part := range committed {
		gauge(ch, archiveLag, max(0, committed[part]-archivedTo(m, e, int32(part))), strconv.Itoa(part))
	}
}
