package worker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The protocol, version 1. Both sides send lines of UTF-8: words with one space
// between them, and a newline (0x0A). A line has 64 KiB at most with its newline.
// Numbers are decimal, without sign or leading zeros. ids are 1 to 64 of 0-9a-z-.
//
//	from Spark                        from the worker
//	HELLO version fingerprint         WELCOME version fingerprint store
//	PLAN store epoch topic            PLANNED epoch topic starts ends
//	COMMITS                           COMMITTED epoch topic offsets
//	RUN epoch partition from until    DONE records events duplicates rejected rerouted
//	                                  ENDED epoch
//	                                  BEAT
//	                                  RETRY text
//	                                  FATAL text
//
// HELLO comes first on a connection, and once. Its fingerprint stands for the topic,
// the store and the settings of those that work together; "-" asks for it. store is
// the store's own id. PLAN tells where a checkpoint stands ("- 0 -": there is none),
// and asks for the newest log epoch with its topic's id, where each partition starts
// in it, and where its committed records end now. COMMITS asks up to where
// each partition is committed. starts, ends and offsets are numbers with commas
// between them, one for each partition. RUN asks for the records of a partition in
// [from, until). The answer DONE promises that they are in the cells and committed;
// its numbers are what was committed since the range was begun. ENDED: the log epoch
// of the range has ended, epoch is the newest one, and what was not committed of the
// range is in the ranges of a later epoch.
//
// A request is answered by one line other than BEAT, and the next one is sent after
// that. A BEAT comes each second while a request is at work and makes progress, or
// waits for a server that it asks again and again. RETRY: the same request may
// succeed later. FATAL: it cannot, and the text names what to change; both leave the
// connection usable, except when the request itself was against the protocol.
// Closing the connection cancels a request that is at work.
const (
	protocolVersion = 1
	maxLine         = 64 << 10
	maxText         = 4 << 10 // of an error
)

// errProtocol: a line is not one of the protocol.
var errProtocol = errors.New("worker: not a line of the protocol")

// Standing is where a checkpoint stands. The zero value is not a checkpoint.
type Standing struct {
	Store string // id of the store; "" without a checkpoint
	Epoch uint32
	Topic string // id of the topic of that log epoch
}

// Plan is what Spark plans ranges from.
type Plan struct {
	Epoch        uint32
	Topic        string  // its id
	Starts, Ends []int64 // by partition
}

// Commits is up to where each partition of the newest log epoch is committed.
type Commits struct {
	Epoch   uint32
	Topic   string
	Offsets []int64
}

// Range is what a task runs: records of a partition in [From, Until).
type Range struct {
	Epoch       uint32
	Partition   int32
	From, Until int64
}

// Counts are what a range added to the commit record of its shard. They are 0 when
// others had committed it already.
type Counts struct{ Records, Events, Duplicates, Rejected, Rerouted int64 }

// request is what Spark asks: one of hello, Standing, commitsRequest and Range.
type request any

type hello struct {
	version     uint64
	fingerprint string // "-" asks for it
}

type commitsRequest struct{}

// parseRequest reads a line without its newline.
func parseRequest(line string) (request, error) {
	if !utf8.ValidString(line) {
		return nil, fmt.Errorf("%w: it is not UTF-8", errProtocol)
	}
	w := words{rest: strings.Split(line, " ")}
	var r request
	switch name := w.next(); name {
	case "HELLO":
		r = hello{version: w.number(32), fingerprint: w.id()}
	case "PLAN":
		s := Standing{Store: w.id(), Epoch: uint32(w.number(32)), Topic: w.id()}
		if none := s.Store == "-"; none {
			if s.Topic != "-" || s.Epoch != 0 {
				w.fail("half a checkpoint")
			}
			s = Standing{}
		} else if s.Topic == "-" {
			w.fail("half a checkpoint")
		}
		r = s
	case "COMMITS":
		r = commitsRequest{}
	case "RUN":
		r = Range{Epoch: uint32(w.number(32)), Partition: int32(w.number(31)), From: int64(w.number(63)), Until: int64(w.number(63))}
	default:
		return nil, fmt.Errorf("%w: %q: allowed are HELLO, PLAN, COMMITS, RUN", errProtocol, cut(name, 64))
	}
	if len(w.rest) > 0 {
		w.fail("too many words")
	}
	if w.err != nil {
		return nil, fmt.Errorf("%w: %q: %w", errProtocol, cut(line, 200), w.err)
	}
	return r, nil
}

// words are what is left of a line, and the first thing that was wrong with it.
type words struct {
	rest []string
	err  error
}

func (w *words) fail(text string) {
	if w.err == nil {
		w.err = errors.New(text)
	}
}

func (w *words) next() string {
	if len(w.rest) == 0 {
		w.fail("too few words")
		return ""
	}
	first := w.rest[0]
	w.rest = w.rest[1:]
	return first
}

func (w *words) number(bits int) uint64 {
	text := w.next()
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != text {
		w.fail(fmt.Sprintf("%q is not a number of up to %d bits", cut(text, 32), bits))
		return 0
	}
	return n
}

func (w *words) id() string {
	text := w.next()
	ok := len(text) >= 1 && len(text) <= 64
	for i := range len(text) {
		c := text[i]
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-')
	}
	if !ok {
		w.fail(fmt.Sprintf("%q is not an id", cut(text, 80)))
		return ""
	}
	return text
}

func welcomeLine(fingerprint, store string) string {
	return fmt.Sprintf("WELCOME %d %s %s", protocolVersion, fingerprint, store)
}

func plannedLine(p *Plan) string {
	return fmt.Sprintf("PLANNED %d %s %s %s", p.Epoch, p.Topic, list(p.Starts), list(p.Ends))
}

func committedLine(c *Commits) string {
	return fmt.Sprintf("COMMITTED %d %s %s", c.Epoch, c.Topic, list(c.Offsets))
}

func doneLine(c *Counts) string {
	return fmt.Sprintf("DONE %d %d %d %d %d", c.Records, c.Events, c.Duplicates, c.Rejected, c.Rerouted)
}

func endedLine(newest uint32) string { return fmt.Sprintf("ENDED %d", newest) }

// errorLine is an error as one line.
func errorLine(fatal bool, err error) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(err.Error(), "?")), " ")
	if text == "" {
		text = "an error without words"
	}
	if fatal {
		return "FATAL " + cut(text, maxText)
	}
	return "RETRY " + cut(text, maxText)
}

// cut is the beginning of a text, of n bytes at most.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func list(numbers []int64) string {
	var b strings.Builder
	for i, n := range numbers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}
