package topology

import (
	"fmt"
	"strings"
)

// Text is a picture of the topology for people: each step with what it does, below
// the step that it follows.
func (t *Topology) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "topology %s\n", t.name)
	t.write(&b, nil, 1)
	return b.String()
}

func (t *Topology) write(b *strings.Builder, from *step, depth int) {
	for _, s := range t.steps {
		if s.from == from {
			fmt.Fprintf(b, "%s%s: %s\n", strings.Repeat("  ", depth), s.name, s.describe())
			t.write(b, s, depth+1)
		}
	}
}

// describe is what a step does, in words.
func (s *step) describe() string {
	text := s.what
	if s.detail != "" {
		text += " " + s.detail
	}
	switch {
	case s.what == "source":
		text = fmt.Sprintf("source, topic %s, %s", s.name, s.detail)
	case s.what == "top" || s.what == "topby":
		text = s.what + ", the first " + s.detail
	case s.what == "by" && s.target != nil:
		text += ", forwards through topic " + s.target.topic
	}
	switch s.view {
	case countView, sumView, uniqueView:
		text += ", partial in each partition, merged when read"
	case stateView:
		text += ", in the partition of the key"
	}
	return text
}

// Mermaid is the topology as a flow chart in the language of Mermaid, which GitHub
// draws in Markdown.
func (t *Topology) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for i, s := range t.steps {
		open, end := "[", "]"
		switch {
		case s.what == "source":
			open, end = "[(", ")]"
		case s.view != 0:
			open, end = "[[", "]]"
		case s.what == "by":
			open, end = "{{", "}}"
		}
		fmt.Fprintf(&b, "  s%d%s\"%s<br/>%s\"%s\n", i, open, s.name, s.short(), end)
		if s.from == nil {
			continue
		}
		arrow := "-->"
		if s.from.target != nil && s.view == stateView {
			arrow = fmt.Sprintf("-- %s -->", s.from.target.topic)
		}
		fmt.Fprintf(&b, "  s%d %s s%d\n", t.place(s.from), arrow, i)
	}
	return b.String()
}

func (s *step) short() string {
	if s.detail == "" {
		return s.what
	}
	return s.what + " " + s.detail
}

func (t *Topology) place(s *step) int {
	for i := range t.steps {
		if t.steps[i] == s {
			return i
		}
	}
	return -1
}
