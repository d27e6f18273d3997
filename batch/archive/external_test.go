package archive_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/internal/external"
	"speedlayer/internal/objects"
)

// DuckDB, Arrow and pandas find the contents of the log in the files.
func TestDuckDBAndArrowRead(t *testing.T) {
	bin := external.Python(t)
	dir := t.TempDir()
	o, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l := everything(3)
	for i := range int64(3000) {
		l.view(int32(i%3), 49*3600*1000+i, personOf(int32(i%3), 3, int(i%50)), "https://foo.com/often")
	}
	l.commit()
	if _, err := newArchiver(t, o, l).Archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	const script = `
import duckdb, sys, pyarrow.parquet as pq, glob
d = sys.argv[1]
q = lambda s: print(duckdb.sql(s.replace("LOG", "read_parquet('%s/pageviews/**/*.parquet', hive_partitioning=true)" % d)).fetchall())
q("select kind, count(*) from LOG group by kind order by kind")
q("select page, count(distinct person) from LOG where kind = 'pageview' group by page order by page")
q("select min(ts)::varchar, max(log_time)::varchar from LOG where kind = 'pageview'")
q("select day::varchar, count(*) from LOG group by day order by day")
q("select source_epoch, source_partition, source_offset from LOG where source_offset is not null and kind = 'pageview' and epoch = 0 and partition = 1")
q("select count(*) filter (referrer <> ''), count(generation), count(*) filter (reason <> '') from LOG")
print(duckdb.sql("select id1, id2, retract from read_parquet('%s/equivs/**/*.parquet') where reason = '' order by \"offset\"" % d).fetchall())
print(sum(pq.read_table(f, partitioning=None).num_rows for f in glob.glob(d + "/pageviews/**/*.parquet", recursive=True)))
t = pq.read_table(glob.glob(d + "/pageviews/**/*.parquet", recursive=True)) # as pandas.read_parquet reads a list
print(t.num_rows, t.column("ts").null_count, t.schema.field("epoch").type, t.schema.field("day").type.value_type)
import pandas as pd
p = pd.read_parquet(sorted(glob.glob(d + "/pageviews/**/*.parquet", recursive=True)))
print(len(p), int(p.ts.isna().sum()), str(p.ts.dtype)[:8], int((p[p.kind == "pageview"].ts.isna()).sum()), p[p.kind == "pageview"].groupby("page").size()["foo.com/often"])
w = pd.read_parquet(d + "/pageviews")
print(len(w), sorted(set(w.columns) - set(p.columns)), p.epoch.sum() == w.epoch.sum())
f = sorted(glob.glob(d + "/pageviews/epoch-0/partition-1/**/*.parquet", recursive=True))[0]
m = pq.read_metadata(f).metadata
print(m[b"speedlayer.from"].decode(), m[b"speedlayer.to"].decode(), pq.read_metadata(f).row_group(0).column(0).compression)
`
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "python"), "-c", script, dir).Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, exit.Stderr)
	}
	want := strings.TrimPrefix(`
[('marker', 3), ('misplaced', 3), ('pageview', 3018), ('refused', 12)]
[('foo.com/', 3), ('foo.com/a', 3), ('foo.com/b', 3), ('foo.com/next-day', 3), ('foo.com/often', 150), ('foo.com/the-day-after', 3)]
[('2026-11-24 22:00:00+00', '2026-11-26 23:00:02.999+00')]
[('2026-11-24', 30), ('2026-11-25', 3), ('2026-11-26', 3003)]
[(0, 1, 77)]
[(3, 3, 12)]
[('a', 'b', False), ('a', 'b', True)]
3036
3036 15 int32 string
3036 15 datetime 0 3000
3036 [] True
0 10 ZSTD
`, "\n")
	if string(out) != want {
		t.Errorf("DuckDB, Arrow and pandas read\n%swant\n%s", out, want)
	}
}

// The archive on a real server that implements S3.
func TestS3Server(t *testing.T) {
	url := external.Seaweed(t)
	o, err := objects.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	l := everything(3)
	if _, err := newArchiver(t, o, l).Archive(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkWhole(t, o, l)
}
