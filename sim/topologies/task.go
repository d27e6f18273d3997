package topologies

import (
	"errors"
	"iter"
	"slices"
)

// errKilled is what a task finds at a pause when it has been killed there.
var errKilled = errors.New("topologies: killed")

// errLost is what a store or a sink answers when a call may or may not have worked.
var errLost = errors.New("topologies: the answer was lost")

// task is something that runs beside others and hands control back where it pauses.
type task struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	dead  bool
	over  bool
	proc  bool // a processor
}

func (w *world) spawn(proc bool, run func()) {
	t := &task{proc: proc}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		run()
	})
	w.tasks = append(w.tasks, t)
}

// pause lets others run. It is called from within a task, or from none.
func (w *world) pause() error {
	t := w.running
	if t == nil {
		return nil
	}
	if !t.dead && w.failure == nil {
		t.dead = !t.yield(struct{}{})
	}
	if t.dead || w.failure != nil {
		return errKilled
	}
	return nil
}

// call is a call of a store or a sink: others run before it happens, and its answer
// may be lost.
func (w *world) call() error {
	if err := w.pause(); err != nil {
		return err
	}
	if w.fault(60) {
		return errLost
	}
	return nil
}

func (w *world) resume(t *task) {
	w.running = t
	_, alive := t.next()
	w.running = nil
	if !alive {
		w.ended(t)
	}
}

func (w *world) kill(t *task) {
	w.running = t
	t.dead = true
	t.stop()
	w.running = nil
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
