package bots

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// index finds which of thousands of patterns match a text. One expression made
// of all of them takes milliseconds for one user agent, which clients could use
// to keep a server busy. But nearly every pattern requires some literal text, so
// patterns are looked up by the first bytes of that literal, and only those
// whose literal is in the text are run.
type index struct {
	byKey map[key][]pattern
	rest  []pattern // patterns without a literal that is long enough
}

// key is the beginning of a literal in lower case.
type key [3]byte

type pattern struct {
	kind    Kind
	literal []byte // lower case
	re      *regexp.Regexp
}

func newIndex() *index { return &index{byKey: make(map[key][]pattern)} }

func (ix *index) mustAdd(kind Kind, expr string) {
	if err := ix.add(kind, expr); err != nil {
		panic(fmt.Sprintf("bots: %s: %v", expr, err)) // a test compiles all lists
	}
}

func (ix *index) add(kind Kind, expr string) error {
	re, err := regexp.Compile(expr)
	if err != nil {
		return err
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return err
	}
	p := pattern{kind, bytes.ToLower([]byte(required(tree.Simplify()))), re}
	if len(p.literal) < len(key{}) || !ascii(p.literal) {
		ix.rest = append(ix.rest, p)
		return nil
	}
	k := key(p.literal)
	ix.byKey[k] = append(ix.byKey[k], p)
	return nil
}

// required returns the longest literal that every match contains, whatever its
// case, or "".
func required(re *syntax.Regexp) (longest string) {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if s := required(sub); len(s) > len(longest) {
				longest = s
			}
		}
	}
	return longest
}

// ascii reports whether lower case has the same bytes in every spelling. The
// letters k and s also match a non-ASCII letter if case is ignored; no user
// agent that a person has depends on that.
func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// kind returns the kind of a pattern that matches. If there are several, it is
// the one whose literal begins first, so that the answer does not depend on the
// order of a map.
func (ix *index) kind(text []byte) Kind {
	if len(ix.byKey) > 0 {
		lower := bytes.ToLower(text)
		for i := 0; i+len(key{}) <= len(lower); i++ {
			for _, p := range ix.byKey[key(lower[i:])] {
				if bytes.HasPrefix(lower[i:], p.literal) && p.re.Match(text) {
					return p.kind
				}
			}
		}
	}
	for _, p := range ix.rest {
		if p.re.Match(text) {
			return p.kind
		}
	}
	return None
}
