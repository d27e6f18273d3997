package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Topology is a job: a source and steps. It is built by one goroutine and does not
// change once it runs; any number of jobs may run it.
type Topology struct {
	name   string
	steps  []*step
	errs   []error
	source *step
	nonces bool                      // events have some
	key    func(value []byte) []byte // owner of a record; nil: they have none
	// memories are the steps that remember.
	memories []*step
	decode   func(r *run, value []byte) (owner, nonce []byte, err error)
	stages   []*stage // the first reads the source, each other one the topic of a By
}

// step is a node of the topology.
type step struct {
	t      *Topology
	name   string
	what   string // kind, as the diagram shows it
	detail string
	from   *step
	cell   int    // of a step with state: its place in the stage's list
	stage  *stage // of a step with state
	view   viewKind
	hours  bool // it has a cell for each hour
	kind   func() kind
	apply  func(r *run, s *step, key string, hour int32, value []byte) error // of a step after a shuffle
	target *stage                                                            // of a By whose events are forwarded
	memory func() memory                                                     // of a Remember
}

// stage is the part of a topology that reads one topic.
type stage struct {
	number int
	topic  string
	by     *step // nil: the source
	cells  []*step
}

// names of topologies and steps: they are parts of keys and of topics.
var names = regexp.MustCompile(`^[a-z][a-z0-9-]{0,47}$`)

const namesAllowed = "allowed are 1 to 48 characters of a-z, 0-9 and -, with a letter first"

// New returns an empty topology. The name is part of the names of its topics.
func New(name string) *Topology {
	t := &Topology{name: name}
	t.stages = []*stage{{}}
	if !names.MatchString(name) {
		t.wrong(&step{t: t}, "the topology's name is %q: %s", name, namesAllowed)
	}
	return t
}

// Name is the topology's name.
func (t *Topology) Name() string { return t.name }

// Err returns what is wrong with the construction, each with the name of its step,
// or nil.
func (t *Topology) Err() error {
	errs := t.errs
	if t.source == nil {
		errs = append(errs[:len(errs):len(errs)], fmt.Errorf("topology %s has no source: begin with Source", t.name))
	} else if len(t.cells()) == 0 {
		errs = append(errs[:len(errs):len(errs)], fmt.Errorf("topology %s keeps no state: add Count, Sum, Unique, TopBy or Update, of a By", t.name))
	}
	return errors.Join(errs...)
}

// cells are all steps with state.
func (t *Topology) cells() (all []*step) {
	for _, s := range t.stages {
		all = append(all, s.cells...)
	}
	return all
}

// wrong notes a mistake in a step.
func (t *Topology) wrong(s *step, format string, args ...any) {
	place := "topology " + t.name
	if s.name != "" {
		place += ": step " + s.name
	}
	t.errs = append(t.errs, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...)))
}

// add enters a step.
func (t *Topology) add(from *step, what, name string, missing bool) *step {
	s := &step{t: t, name: name, what: what, from: from}
	if !names.MatchString(name) {
		t.wrong(s, "a step's name is %q: %s", name, namesAllowed)
	}
	for _, o := range t.steps {
		if o.name == name {
			t.wrong(s, "there is another step of that name (%s): names are parts of keys, so each is used once", o.what)
		}
	}
	if missing {
		t.wrong(s, "%s has no function", what)
	}
	t.steps = append(t.steps, s)
	return s
}

// follow is add of a step that takes what another one gives.
func follow(from *step, what, name string, missing bool) *step {
	if from == nil {
		panic(fmt.Sprintf("topology: step %s: %s of nothing", name, what))
	}
	return from.t.add(from, what, name, missing)
}

// keep makes a step one with state, in the stage given.
func (s *step) keep(in *stage, v viewKind, hours bool, kind func() kind) {
	s.stage, s.view, s.hours, s.kind, s.cell = in, v, hours, kind, len(in.cells)
	in.cells = append(in.cells, s)
}

// prefix is how the keys of the step's cells begin.
func (s *step) prefix() string { return s.name + "/" }

// meaning is what the step's cells mean: all steps from the source to it, and how
// it counts. Cells of another meaning cannot be merged with them.
func (s *step) meaning() string {
	var path []string
	for at := s; at != nil; at = at.from {
		text := at.name + ":" + at.what
		if at.what == "remember" {
			text += " " + at.detail
		}
		path = append([]string{text}, path...)
	}
	text := strings.Join(path, " ")
	if s.hours {
		text += " by hour"
	}
	return text
}

// settings are a stage's part of the settings that markers carry: the meaning of
// each step with state. They are a JSON object, always the same text.
func (g *stage) settings(t *Topology) string {
	o := settings{Topology: t.name, Cells: map[string]string{}}
	for _, s := range g.cells {
		o.Cells[s.name] = s.meaning()
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // texts always marshal
	}
	return string(b)
}

type settings struct {
	Topology string            `json:"topology"`
	Cells    map[string]string `json:"cells"`
}

func parseSettings(text string) (s settings, err error) {
	if err = json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("settings of a topology: %w", err)
	}
	return s, nil
}
