package oracle

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"
)

// logLine is the combined log format. The real log has no escapes and no
// absolute targets, so this is all it takes.
var logLine = regexp.MustCompile(`^(\S+) \S+ (\S+) \[([^\]]+)\] "(\S+) (.*?)(?: HTTP/[\d.]+)?" (\d{3}) `)

var pageExtensions = map[string]bool{"": true, ".html": true, ".htm": true, ".xhtml": true, ".php": true,
	".asp": true, ".aspx": true, ".jsp": true}

// realLog reads the pageviews of the demo's log as records of one partition.
func realLog(t *testing.T) (records []Record, lines int) {
	t.Helper()
	f, err := os.Open("testdata/access.log.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(z)
	for in.Scan() {
		lines++
		m := logLine.FindStringSubmatch(in.Text())
		if m == nil {
			t.Fatalf("line %d is none: %s", lines, in.Text())
		}
		status := m[6]
		if m[4] != "GET" || status[0] != '2' && status != "304" {
			continue
		}
		raw := "http://semicomplete.com" + m[5]
		page, err := Page(raw)
		if err != nil {
			t.Fatal(err)
		}
		// Where the path ends in a slash, its last segment is empty.
		target, _, _ := strings.Cut(m[5], "?")
		if ext := strings.ToLower(path.Ext(page[strings.LastIndexByte(page, '/'):])); !strings.HasSuffix(target, "/") && !pageExtensions[ext] {
			continue
		}
		ts, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[3])
		if err != nil {
			t.Fatal(err)
		}
		person := m[1]
		if m[2] != "-" && m[2] != `""` {
			person = m[2]
		}
		value, err := json.Marshal(map[string]any{"nonce": fmt.Sprint("line ", lines), "person": person, "url": raw, "ts": ts.UnixMilli()})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, Record{Offset: int64(len(records)), Timestamp: 1_800_000_000_000, Key: []byte(person), Value: value})
	}
	if in.Err() != nil {
		t.Fatal(in.Err())
	}
	return records, lines
}

func ms(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// The figures were found by a program outside the project.
func TestFiguresOfTheRealLog(t *testing.T) {
	records, lines := realLog(t)
	if lines != 10_000 || len(records) != 3_770 {
		t.Fatalf("%d lines, %d pageviews", lines, len(records))
	}
	// Over any number of partitions the answers are the same.
	for _, partitions := range []int32{1, 8} {
		var oracles []*Oracle
		for p := range partitions {
			oracles = append(oracles, New(Options{Partition: p, Partitions: partitions, Settings: DefaultSettings()}))
		}
		persons := map[string]bool{}
		for _, r := range records {
			persons[string(r.Key)] = true
			oracles[partitionOf(string(r.Key), partitions)].Add(r)
		}
		for _, o := range oracles {
			if c := o.Counts(); c.Duplicates+c.Rejected+c.ReroutedOut != 0 || c.Events != c.Records {
				t.Errorf("partition %d: %+v", o.opt.Partition, c)
			}
		}
		if len(persons) != 1187 {
			t.Errorf("%d persons", len(persons))
		}
		checkFigures(t, NewAnswers(0, oracles...))
	}
}

func checkFigures(t *testing.T, a *Answers) {
	t.Helper()
	const site = "semicomplete.com"
	lines := a.Export(math.MinInt32, math.MaxInt32)
	pages, cells, hours := map[string]bool{}, 0, map[int32]bool{}
	for _, l := range lines {
		if l.View == Pageviews && l.URL != site {
			pages[l.URL] = true
			cells++
		}
		if l.View == Pageviews && l.URL == site {
			hours[l.Hour] = true
		}
	}
	if len(lines) != 4878 || len(pages) != 703 || cells != 2313 || len(hours) != 84 {
		t.Errorf("%d lines, %d pages, %d cells, %d hours", len(lines), len(pages), cells, len(hours))
	}
	if !hours[hourOf(ms(t, "2015-05-17T10:00:00Z"))] || !hours[hourOf(ms(t, "2015-05-20T21:00:00Z"))] {
		t.Error("first or last hour is not there")
	}
	for _, d := range []struct {
		from, to                   string
		views, persons             uint64
		visits, bounces            int64
		rootViews, rootVisitorsAll uint64
	}{
		{"2015-05-17", "2015-05-18", 680, 244, 369, 266, 0, 0},
		{"2015-05-18", "2015-05-19", 1245, 397, 653, 432, 0, 0},
		{"2015-05-19", "2015-05-20", 995, 391, 570, 410, 0, 0},
		{"2015-05-20", "2015-05-21", 850, 346, 516, 380, 0, 0},
		{"2015-05-17", "2015-05-21", 3770, 1187, 2108, 1488, 572, 213},
	} {
		from, to := hourOf(ms(t, d.from+"T00:00:00Z")), hourOf(ms(t, d.to+"T00:00:00Z"))
		views, persons := a.Pageviews(site, from, to), a.Uniques(site, from, to)
		visits, bounces := a.Bounces(site, from, to)
		if views != d.views || persons != (Visitors{d.persons, true}) || visits != d.visits || bounces != d.bounces {
			t.Errorf("%s to %s: %d pageviews, %v visitors, %d visits, %d bounces, want %v", d.from, d.to, views, persons, visits, bounces, d)
		}
		if d.rootViews != 0 {
			if v, p := a.Pageviews(site+"/", from, to), a.Uniques(site+"/", from, to); v != d.rootViews || p.Count != d.rootVisitorsAll {
				t.Errorf("root page: %d pageviews, %v visitors", v, p)
			}
		}
	}
	checkTop(t, a)
}

func checkTop(t *testing.T, a *Answers) {
	t.Helper()
	got := a.Top("semicomplete.com", hourOf(ms(t, "2015-05-17T00:00:00Z")), hourOf(ms(t, "2015-05-21T00:00:00Z")))
	for i, want := range []struct {
		page           string
		views, persons uint64
	}{
		{"/", 572, 213}, {"/blog/tags/puppet", 489, 13}, {"/projects/xdotool", 219, 183},
		{"/projects/xdotool/xdotool.xhtml", 153, 135}, {"/articles/dynamic-dns-with-dhcp", 135, 118},
		{"/blog/geekery/ssl-latency.html", 77, 50}, {"/blog/geekery/disabling-battery-in-ubuntu-vms.html", 60, 13},
		{"/blog/tags/firefox", 60, 6}, {"/articles/ssh-security", 55, 50},
		{"/blog/geekery/solving-good-or-bad-problems.html", 51, 5},
	} {
		if g := got[i]; g != (PageCount{"semicomplete.com" + want.page, want.views, Visitors{want.persons, true}}) {
			t.Errorf("top %d is %v, want %v", i+1, g, want)
		}
	}
}
