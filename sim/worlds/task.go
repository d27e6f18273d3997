package worlds

import (
	"errors"
	"iter"
	"slices"

	"speedlayer/store"
)

// errKilled is what a task finds at a pause when it has been killed there.
var errKilled = errors.New("worlds: killed")

// task is something that runs beside others: a processor, a snapshot on its way,
// a query, a change of settings. It runs only while the world resumes it, and
// hands control back wherever it pauses, so the order of everything is the
// world's choice.
type task struct {
	name  string
	next  func() (string, bool)
	stop  func()
	yield func(string) bool
	at    string // where it stands
	dead  bool
	over  bool

	part  *partition         // of a processor
	put   map[store.Key]bool // cells that a processor has put
	query bool
	run   bool // a batch run
}

// spawn makes a task, which runs when it is first resumed.
func (w *world) spawn(name string, run func(*task)) *task {
	t := &task{name: name, at: "its start"}
	t.next, t.stop = iter.Pull(func(yield func(string) bool) {
		t.yield = yield
		run(t)
	})
	w.tasks = append(w.tasks, t)
	return t
}

// pause is called from within a task, or from none while the world is made.
func (w *world) pause(what string) error {
	t := w.running
	if t == nil {
		return nil
	}
	if !t.dead && w.failure == nil {
		t.dead = !t.yield(what)
	}
	if t.dead || w.failure != nil {
		return errKilled
	}
	return nil
}

func (w *world) resume(t *task) {
	outer := w.running
	w.running = t
	at, alive := t.next()
	w.running = outer
	t.at = at
	if !alive {
		w.ended(t)
	}
}

func (w *world) kill(t *task) {
	outer := w.running
	w.running = t
	t.dead = true
	t.stop()
	w.running = outer
	w.ended(t)
}

func (w *world) ended(t *task) {
	t.over = true
	w.tasks = slices.DeleteFunc(w.tasks, func(o *task) bool { return o == t })
}

func (w *world) killAll() {
	for len(w.tasks) > 0 {
		w.kill(w.tasks[len(w.tasks)-1])
	}
}
