package bench

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// meter reports what a stretch of work took of the whole process: the embedded
// broker and the load generator included where they run in it.
type meter struct {
	began time.Time
	cpu   time.Duration
	mem   runtime.MemStats
}

// startMeter forgets the peak of resident memory so far.
func startMeter() *meter {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where there is none, the peak is since the start
	m := &meter{}
	runtime.ReadMemStats(&m.mem)
	m.cpu = cpuTime()
	m.began = time.Now()
	return m
}

// cost is what was used since the meter started.
type cost struct {
	wall, cpu time.Duration
	peak      float64 // MiB resident
	gc        uint32  // cycles
	allocated float64 // bytes
}

func (m *meter) stop() cost {
	c := cost{wall: time.Since(m.began), cpu: cpuTime() - m.cpu, peak: peakMiB()}
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	c.gc = now.NumGC - m.mem.NumGC
	c.allocated = float64(now.TotalAlloc - m.mem.TotalAlloc)
	return c
}

func (c cost) rate(events int64) float64 { return float64(events) / c.wall.Seconds() }

func (c cost) cpuPer(events int64) float64 { return float64(c.cpu.Nanoseconds()) / float64(events) }

// add appends the cost to a result's details.
func (c cost) add(r *Result, events int64) {
	r.detail("cpu", c.cpuPer(events), "ns/event")
	r.detail("cores used", c.cpu.Seconds()/c.wall.Seconds(), "")
	r.detail("peak resident", c.peak, "MiB")
	r.detail("allocated", c.allocated/float64(events), "B/event")
	r.detail("gc cycles", float64(c.gc), "")
}

// cpuTime is user and system time of all threads.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMiB is the highest resident memory of the process, 0 where it is not told.
func peakMiB() float64 { return statusMiB(os.Getpid(), "VmHWM:") }

func statusMiB(pid int, field string) float64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(field)); ok {
			kib, _ := strconv.ParseFloat(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 64)
			return kib / 1024
		}
	}
	return 0
}

// samples are durations, of which percentiles are asked.
type samples struct {
	all    []time.Duration
	sorted bool
}

func (s *samples) add(d time.Duration) {
	s.all = append(s.all, d)
	s.sorted = false
}

// at is the smallest sample that q of all are at or below (nearest rank).
func (s *samples) at(q float64) time.Duration {
	if len(s.all) == 0 {
		return 0
	}
	if !s.sorted {
		slices.Sort(s.all)
		s.sorted = true
	}
	rank := int(q*float64(len(s.all))+0.999999) - 1
	return s.all[min(max(rank, 0), len(s.all)-1)]
}

// add appends the spread to a result's details, in ms.
func (s *samples) spread(r *Result, prefix string) {
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}} {
		r.detail(prefix+q.name, ms(s.at(q.q)), "ms")
	}
	r.detail(prefix+"samples", float64(len(s.all)), "")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
