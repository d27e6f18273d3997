package generate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustNew(t testing.TB, c Config) *Generator {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// digest hashes a stream as JSON and as log lines.
func digest(t *testing.T, c Config) string {
	t.Helper()
	g, h := mustNew(t, c), sha256.New()
	var e Event
	var b []byte
	for g.Next(&e) {
		b = append(e.AppendCombined(append(e.AppendJSON(b[:0]), '\n')), '\n')
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// TestSameBytes holds the stream itself: whoever changes it makes figures that
// were measured before impossible to compare, and should know.
func TestSameBytes(t *testing.T) {
	c := Config{Events: 20_000, Seed: 7, URLs: 1000, Persons: 5000, Domains: 20}
	first := digest(t, c)
	if again := digest(t, c); again != first {
		t.Errorf("the same seed gives %s and %s", first, again)
	}
	if was := "3cc7fe6e713a0c42"; first != was {
		t.Errorf("digest is %s, was %s", first, was)
	}
	c.Seed = 8
	if other := digest(t, c); other == first {
		t.Error("two seeds give one stream")
	}
}

type jsonEvent struct {
	Nonce, Person, URL, Referrer string
	UserAgent                    string `json:"user_agent"`
	TS                           any
}

func TestPageviewsAreWellFormed(t *testing.T) {
	c := Config{Events: 30_000, Seed: 3}
	g := mustNew(t, c)
	var e Event
	var b []byte
	type id struct{ nonce, person string }
	first := map[id]string{}
	longest, shortest, texts, changed := 0, 1<<20, 0, 0
	last := int64(0)
	for g.Next(&e) {
		if e.Arrival < last {
			t.Fatalf("arrival goes back from %d to %d", last, e.Arrival)
		}
		last = e.Arrival
		b = e.AppendJSON(b[:0])
		if e.Kind == Edge {
			continue
		}
		longest, shortest = max(longest, len(b)), min(shortest, len(b))
		var j jsonEvent
		if err := json.Unmarshal(b, &j); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if j.Nonce != string(e.Nonce) || j.Person != string(e.Person) || j.URL != string(e.URL) ||
			j.Referrer != string(e.Referrer) || j.UserAgent != string(e.UserAgent) {
			t.Fatalf("%s is not %+v", b, e)
		}
		if text, ok := j.TS.(string); ok {
			texts++
			if at, err := time.Parse(time.RFC3339, text); err != nil || at.UnixMilli() != e.TS {
				t.Fatalf("ts %s, want %d", text, e.TS)
			}
		} else if j.TS.(float64) != float64(e.TS) {
			t.Fatalf("ts %v, want %d", j.TS, e.TS)
		}
		if e.TS > e.Arrival {
			t.Fatalf("%s is of the future: it arrives at %d", b, e.Arrival)
		}
		before, again := first[id{j.Nonce, j.Person}]
		if again != e.Duplicate {
			t.Fatalf("%s: duplicate is %v, but it came before: %v", b, e.Duplicate, again)
		}
		if again && before != string(b) {
			changed++
		}
		if !again {
			first[id{j.Nonce, j.Person}] = string(b)
		}
	}
	if shortest < 200 || longest > 250 {
		t.Errorf("pageviews have %d to %d bytes", shortest, longest)
	}
	if texts == 0 || changed == 0 {
		t.Errorf("%d times as text, %d duplicates with other fields", texts, changed)
	}
}

// TestDistribution checks the shares that the configuration asks for, within
// five standard deviations or so.
func TestDistribution(t *testing.T) {
	const n = 200_000
	c := Config{Events: n, Seed: 11, URLs: 10_000, Persons: 50_000, Domains: 50}
	g := mustNew(t, c)
	var e Event
	var views, duplicates, late, bots, edges, retracts, users int
	pages, persons, domains := map[string]int{}, map[string]bool{}, map[string]int{}
	perVisit := map[string][]int64{} // person and domain -> times
	for g.Next(&e) {
		if e.Kind == Edge {
			edges++
			if e.Retract {
				retracts++
			}
			continue
		}
		views++
		page := strings.TrimSuffix(string(e.URL), "/")
		for _, cut := range []string{"https://", "http://", "www."} {
			page = strings.TrimPrefix(page, cut)
		}
		page, _, _ = strings.Cut(page, "#")
		page, _, _ = strings.Cut(page, "?")
		page = strings.TrimSuffix(page, "/")
		domain, _, _ := strings.Cut(page, "/")
		if e.Duplicate {
			duplicates++
			continue
		}
		pages[page]++
		domains[domain]++
		persons[string(e.Person)] = true
		if !strings.Contains(string(e.Person), ".") {
			users++
		}
		if e.Late {
			late++
		}
		if e.Bot {
			bots++
			continue
		}
		k := string(e.Person) + " " + domain
		perVisit[k] = append(perVisit[k], e.TS)
	}
	visits, bounces := 0, 0
	for _, times := range perVisit {
		slices.Sort(times)
		size := 0
		for i, at := range times {
			size++
			if i+1 == len(times) || times[i+1]-at > 30*60*1000 {
				visits++
				if size == 1 {
					bounces++
				}
				size = 0
			}
		}
	}
	most := 0
	for _, n := range pages {
		most = max(most, n)
	}
	share := func(name string, got, of int, low, high float64) {
		t.Helper()
		if r := float64(got) / float64(of); r < low || r > high {
			t.Errorf("%s: %d of %d is %.4f, want %.4f to %.4f", name, got, of, r, low, high)
		}
	}
	if views != n {
		t.Errorf("%d pageviews, want %d", views, n)
	}
	share("duplicates", duplicates, views, 0.018, 0.022)
	share("late", late, views-duplicates, 0.047, 0.053)
	share("bots", bots, views-duplicates, 0.08, 0.12)
	share("edges", edges, views, 0.0003, 0.0007)
	share("edges taken back", retracts, edges, 0.03, 0.09)
	share("user names", users, views-duplicates, 0.2, 0.3)
	share("most viewed page", most, views-duplicates, 0.095, 0.11) // 1/H(10,000) is 0.1022
	share("pages viewed", len(pages), 10_000, 0.75, 1)
	share("persons seen", len(persons), 50_000, 0.4, 1)
	share("domains", len(domains), 50, 1, 1)
	share("bounces", bounces, visits, 0.3, 0.65)
}

var combined = regexp.MustCompile(`^\S+ - (\S+) \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET (https?://\S+) HTTP/1\.1" 200 \d+ "([^"]+)" "[^"]+"$`)

func TestCombined(t *testing.T) {
	g := mustNew(t, Config{Events: 5000, Seed: 1, Edges: 0.05})
	var e Event
	users := 0
	for g.Next(&e) {
		line := string(e.AppendCombined(nil))
		if e.Kind == Edge {
			if line != "" {
				t.Fatalf("an edge is the line %s", line)
			}
			continue
		}
		m := combined.FindStringSubmatch(line)
		if m == nil {
			t.Fatal(line)
		}
		person := m[1]
		if person == "-" {
			person, _, _ = strings.Cut(line, " ")
		} else {
			users++
		}
		if person != string(e.Person) || strings.Contains(m[2], "#") {
			t.Fatalf("%s is not of %s", line, e.Person)
		}
	}
	if users == 0 {
		t.Error("no user")
	}
}

func TestEdgesLinkOnePersonsIdentifiers(t *testing.T) {
	g := mustNew(t, Config{Events: 5000, Seed: 1, Edges: 0.5})
	var e Event
	added := map[[2]string]bool{}
	for g.Next(&e) {
		if e.Kind != Edge {
			continue
		}
		var j struct {
			ID1, ID2 string
			TS       int64
			Retract  bool
		}
		if err := json.Unmarshal(e.AppendJSON(nil), &j); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(j.ID1, ".") || strings.Contains(j.ID2, ".") || j.TS != e.Arrival || j.Retract != e.Retract {
			t.Fatalf("%+v", j)
		}
		added[[2]string{j.ID1, j.ID2}] = true
	}
	if len(added) < 1000 {
		t.Errorf("%d pairs", len(added))
	}
}

func TestPersonsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for p := range uint32(100_000) {
		seen[string(appendPerson(nil, p))] = true
	}
	if len(seen) != 100_000 {
		t.Errorf("%d of 100,000", len(seen))
	}
}

func TestAlias(t *testing.T) {
	weights := []uint64{zipf(0), zipf(1), zipf(2), zipf(3), 0}
	a := newAlias(weights)
	var got [5]float64
	r := random{5}
	const n = 500_000
	for range n {
		got[a.draw(&r)]++
	}
	sum := 0.0
	for _, w := range weights {
		sum += float64(w)
	}
	for i, w := range weights {
		if want := float64(w) / sum; got[i]/n < want-0.004 || got[i]/n > want+0.004 {
			t.Errorf("%d: %.4f, want %.4f", i, got[i]/n, want)
		}
	}
	if got[4] != 0 {
		t.Error("a weight of 0 is drawn")
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"events": {Events: -1}, "urls": {URLs: -1}, "persons": {Persons: 1 << 30}, "domains": {URLs: 5, Domains: 6},
		"span": {Span: time.Microsecond}, "jitter": {Jitter: -1}, "share": {Late: 1.5}, "start": {Start: time.Unix(0, 0)},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: %+v is taken", name, c)
		}
	}
	// The smallest streams.
	for _, c := range []Config{{}, {Events: 1}, {Events: 3, URLs: 1, Persons: 1}, {Events: 50, Duplicates: 1}} {
		g, n := mustNew(t, c), int64(0)
		for e := (Event{}); g.Next(&e); {
			if e.Kind == Pageview {
				n++
			}
		}
		if n != c.Events {
			t.Errorf("%+v: %d pageviews", c, n)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	g := mustNew(b, Config{Events: 1 << 40, Span: 24 * time.Hour})
	var e Event
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		g.Next(&e)
		buf = e.AppendJSON(buf[:0])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkCombined(b *testing.B) {
	g := mustNew(b, Config{Events: 1 << 40, Span: 24 * time.Hour})
	var e Event
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		g.Next(&e)
		buf = e.AppendCombined(buf[:0])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
