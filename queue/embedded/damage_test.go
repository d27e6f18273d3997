package embedded

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
)

// logged is a log to damage: its directory as it is after a graceful stop and after
// a kill, and what it holds.
type logged struct {
	stopped, killed string
	records         map[offset]string
	ends            []int64
}

type offset struct {
	partition int32
	offset    int64
}

func makeLog(t *testing.T, r *rand.Rand) logged {
	t.Helper()
	dir := t.TempDir()
	b, err := Start(Config{Dir: dir, Partitions: 2, segment: 3000, Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		var messages []queue.Message
		for range 1 + r.IntN(8) {
			messages = append(messages, queue.Message{Person: fmt.Appendf(nil, "p%d", r.IntN(50)), Value: bytes.Repeat([]byte{'x'}, r.IntN(100))})
		}
		if _, err := c.AppendSync(t.Context(), messages); err != nil {
			t.Fatal(err)
		}
	}
	l := logged{stopped: dir, records: recordsAt(t, b, c)}
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.ends, l.killed = info.Ends, killed(t, dir)
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return l
}

// recordsAt reads the log as a client of another maker would: with the records
// that stand for lost offsets.
func recordsAt(t *testing.T, b *Broker, c *queue.Client) map[offset]string {
	t.Helper()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := make(map[int32]kgo.Offset)
	for part, start := range info.Starts {
		if start < info.Ends[part] {
			from[int32(part)] = kgo.NewOffset().At(start)
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{queue.TopicPageviews: from}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	all := make(map[offset]string)
	for len(from) > 0 {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				all[offset{r.Partition, r.Offset}] = fmt.Sprint(r.Timestamp.UnixMilli(), " ", string(r.Key), " ", string(r.Value))
			}
			if r.Offset+1 >= info.Ends[r.Partition] {
				delete(from, r.Partition)
			}
		})
	}
	return all
}

// harm is a way to damage a log; it returns what it did, or "" if it cannot.
type harm func(t *testing.T, r *rand.Rand, files []string) string

func segmentFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", partitionsDir, "pageviews-*", "*.dat"))
	if err != nil || len(files) < 4 {
		t.Fatalf("segments: %v, %v", files, err)
	}
	if len(inner(byOffset(files))) == 0 {
		t.Fatalf("no segment is an inner one: %v", files)
	}
	return files
}

func flip(t *testing.T, r *rand.Rand, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := r.IntN(len(b))
	b[at] ^= 1 << r.IntN(8)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("byte %d of %s of %d bytes", at, filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), len(b))
}

// inner are segments that are not the first or last of their partition.
func inner(files []string) (all []string) {
	for i := 1; i+1 < len(files); i++ {
		if dir := filepath.Dir(files[i]); filepath.Dir(files[i-1]) == dir && filepath.Dir(files[i+1]) == dir {
			all = append(all, files[i])
		}
	}
	return all
}

// byOffset sorts names of segments, which are numbers, within their directories.
func byOffset(files []string) []string {
	slices.SortFunc(files, func(a, b string) int {
		if d := strings.Compare(filepath.Dir(a), filepath.Dir(b)); d != 0 {
			return d
		}
		if d := len(a) - len(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return files
}

var harms = map[string]harm{
	"a flipped bit": func(t *testing.T, r *rand.Rand, files []string) string {
		return flip(t, r, files[r.IntN(len(files))])
	},
	"three flipped bits": func(t *testing.T, r *rand.Rand, files []string) string {
		path := files[r.IntN(len(files))]
		return flip(t, r, path) + ", " + flip(t, r, path) + ", " + flip(t, r, files[r.IntN(len(files))])
	},
	"zeros": func(t *testing.T, r *rand.Rand, files []string) string {
		path := files[r.IntN(len(files))]
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		from := r.IntN(len(b))
		to := min(len(b), from+1+r.IntN(1000))
		clear(b[from:to])
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("bytes %d to %d of %d of %s", from, to, len(b), path)
	},
	"a missing segment": func(t *testing.T, r *rand.Rand, files []string) string {
		files = inner(files)
		path := files[r.IntN(len(files))]
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return path
	},
	"a segment cut short": func(t *testing.T, r *rand.Rand, files []string) string {
		files = inner(files)
		path := files[r.IntN(len(files))]
		info, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, r.Int64N(info.Size()))
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	},
}

// Whatever is damaged, the rest is there, at its offsets; what is missing is said;
// the damaged file is kept; no offset is given out twice; and a start later finds
// the same.
func TestDamagedLog(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 5))
	l := makeLog(t, r)
	for name, do := range harms {
		for _, from := range []string{l.stopped, l.killed} {
			for range 2 {
				dir := killed(t, from)
				did := do(t, r, byOffset(segmentFiles(t, dir)))
				t.Run(name, func(t *testing.T) { l.check(t, dir, from == l.killed, name+": "+did) })
			}
		}
	}
}

func (l *logged) check(t *testing.T, dir string, afterKill bool, did string) {
	b, err := Start(Config{Dir: dir, Partitions: 2, segment: 3000, Trusted: true})
	if err != nil {
		t.Fatalf("%s: %v", did, err)
	}
	c := dial(t, b)
	damage := b.Damage()
	got := recordsAt(t, b, c)
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := func(at offset) bool {
		return slices.ContainsFunc(damage, func(d Damage) bool {
			return d.Topic == queue.TopicPageviews && d.Partition == at.partition && d.From <= at.offset && at.offset < d.To
		}) || afterKill && at.offset >= info.Ends[at.partition] // the last batch, which may have been torn
	}
	missing := 0
	for at, want := range l.records {
		if have, ok := got[at]; ok && have != want {
			t.Errorf("%s: %v is %q, want %q", did, at, have, want)
		} else if ok == lost(at) {
			t.Errorf("%s: %v is there: %v; damage %v", did, at, ok, damage)
		} else if !ok {
			missing++
		}
	}
	if len(got) > len(l.records) || missing > len(l.records)/3 {
		t.Errorf("%s: %d records of %d, %d are missing: %v", did, len(got), len(l.records), missing, damage)
	}
	for part, end := range info.Ends {
		if end < l.ends[part] && !afterKill || end > l.ends[part] {
			t.Errorf("%s: partition %d ends at %d, not at %d", did, part, end, l.ends[part])
		}
	}
	kept, err := filepath.Glob(filepath.Join(dir, "log", partitionsDir, "*", "*.d*m*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range damage {
		if d.Settled {
			t.Errorf("%s: %v is settled by itself", did, d)
		}
		if d.Kept != "" && !slices.Contains(kept, d.Kept) {
			t.Errorf("%s: %s is not there: %v", did, d.Kept, kept)
		}
	}
	positions, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte("p1"), Value: []byte("new")}})
	if err != nil || positions[0].Offset < info.Ends[positions[0].Partition] {
		t.Errorf("%s: appended at %v, %v; the log ended at %v", did, positions, err, info.Ends)
	}
	if err := b.Settle(); err != nil {
		t.Error(err)
	}
	got = recordsAt(t, b, c)
	c.Close()
	again := killed(t, dir)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for _, dir := range []string{dir, again} {
		b, c := open(t, dir)
		for _, d := range b.Damage() {
			if !d.Settled {
				t.Errorf("%s: %v is damage again", did, d)
			}
		}
		if later := recordsAt(t, b, c); len(b.Damage()) != len(damage) || fmt.Sprint(later) != fmt.Sprint(got) {
			t.Errorf("%s: at the next start there are %d records, not %d; damage %v, not %v", did, len(later), len(got), b.Damage(), damage)
		}
		c.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Damage that is found while the broker runs is repaired while it runs.
func TestRepairWhileRunning(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 6))
	l := makeLog(t, r)
	b, err := Start(Config{Dir: l.stopped, Partitions: 2, segment: 3000, Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Partitions: 2, Dialer: b.Dialer()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	did := flip(t, r, inner(byOffset(segmentFiles(t, l.stopped)))[0])
	addr := b.Addr()
	if err := b.Repair(); err != nil {
		t.Fatal(err)
	}
	if b.Addr() != addr {
		t.Errorf("it listens on %s, not %s", b.Addr(), addr)
	}
	if _, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte("p1"), Value: []byte("new")}}); err != nil {
		t.Errorf("%s: %v", did, err)
	}
	if n := len(recordsAt(t, b, c)); n < len(l.records)-10 {
		t.Errorf("%s: %d records of %d; %v", did, n, len(l.records)+1, b.Damage())
	}
}
