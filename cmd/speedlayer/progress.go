package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Pauses between two reports of a progress: on a terminal, where the line is
// drawn anew, and elsewhere, where each is a line of its own.
const (
	progressRedraw = 100 * time.Millisecond
	progressLine   = 10 * time.Second
)

// progress shows how far long work is: rate, share done, time left. It starts
// no goroutine; the work calls update. It is safe for concurrent use.
type progress struct {
	out      io.Writer
	label    string
	terminal bool
	began    time.Time
	mu       struct {
		sync.Mutex
		shown time.Time
		drawn bool
	}
}

// newProgress begins to measure. On a terminal the line is drawn in place.
func newProgress(out io.Writer, label string) *progress {
	f, ok := out.(*os.File)
	return &progress{out: out, label: label, began: time.Now(), terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// update shows that done of total units are done; total is 0 if it is not known.
// It returns at once when it is too early to say so again.
func (p *progress) update(done, total int64, unit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	pause := progressLine
	if p.terminal {
		pause = progressRedraw
	}
	last := p.mu.shown
	if last.IsZero() {
		last = p.began // short work says nothing
	}
	if now.Sub(last) < pause {
		return
	}
	p.mu.shown = now
	line := p.label + ": " + describeProgress(done, total, unit, now.Sub(p.began))
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		p.mu.drawn = true
		return
	}
	fmt.Fprintln(p.out, line)
}

// finish takes the line away; the result is the caller's to print.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.mu.drawn = false
	}
}

func describeProgress(done, total int64, unit string, spent time.Duration) string {
	rate := float64(done) / max(spent.Seconds(), 1e-9)
	if total <= 0 || done > total {
		return fmt.Sprintf("%s, %s/s", quantity(done, unit), quantity(int64(rate), unit))
	}
	left := "?"
	if done > 0 {
		left = time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second).String()
		if done == total {
			left = "0s"
		}
	}
	return fmt.Sprintf("%d%% of %s, %s/s, %s left", 100*done/total, quantity(total, unit), quantity(int64(rate), unit), left)
}

// quantity is a number for people: bytes in MiB, everything else in groups.
func quantity(n int64, unit string) string {
	if unit == "bytes" {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return groups(n) + " " + unit
}

// groups writes a number with commas: 1,234,567.
func groups(n int64) string {
	text := fmt.Sprint(n)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}
