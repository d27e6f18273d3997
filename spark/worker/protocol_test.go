package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// What the document says of each request, and what breaks it.
func TestRequests(t *testing.T) {
	for line, want := range map[string]request{
		"HELLO 1 -":                     hello{1, "-"},
		"HELLO 4294967295 00ff":         hello{4294967295, "00ff"},
		"PLAN - 0 -":                    Standing{},
		"PLAN ab 7 c-d":                 Standing{"ab", 7, "c-d"},
		"COMMITS":                       commitsRequest{},
		"RUN 0 0 0 0":                   Range{},
		"RUN 4294967295 2147483647 5 9": Range{1<<32 - 1, 1<<31 - 1, 5, 9},
		"RUN 1 2 9223372036854775806 9223372036854775807": Range{1, 2, 1<<63 - 2, 1<<63 - 1},
	} {
		if got, err := parseRequest(line); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v; want %#v", line, got, err, want)
		}
	}
	long := strings.Repeat("a", 65)
	for _, line := range []string{
		"", " ", "hello 1 -", "HELLO", "HELLO 1", "HELLO 1 - ", "HELLO  1 -", " HELLO 1 -", "HELLO 1 - x", "HELLO -1 -", "HELLO 01 -",
		"HELLO +1 -", "HELLO 4294967296 -", "HELLO 1 A", "HELLO 1 \t", "HELLO 1 " + long, "HELLO 1 -\r", "HELLO 1 \xff",
		"PLAN", "PLAN - 1 -", "PLAN - 0 ab", "PLAN ab 0 -", "PLAN ab x cd", "COMMITS 1", "COMMITS ",
		"RUN 0 0 0", "RUN 0 0 0 0 0", "RUN 0 2147483648 0 0", "RUN 0 0 -1 0", "RUN 0 0 0 9223372036854775808", "RUN 0 0 1e3 2000", "STOP",
	} {
		if got, err := parseRequest(line); !errors.Is(err, errProtocol) {
			t.Errorf("%q: %#v, %v; want a refusal", line, got, err)
		}
	}
}

// The answers, byte by byte: src/test/java reads the same ones.
func TestAnswers(t *testing.T) {
	for want, got := range map[string]string{
		"WELCOME 1 00ff 12ab":          welcomeLine("00ff", "12ab"),
		"PLANNED 3 ab 0,5 10,9":        plannedLine(&Plan{3, "ab", []int64{0, 5}, []int64{10, 9}}),
		"COMMITTED 3 ab 7,8":           committedLine(&Commits{3, "ab", []int64{7, 8}}),
		"DONE 1 2 3 4 5":               doneLine(&Counts{1, 2, 3, 4, 5}),
		"ENDED 4":                      endedLine(4),
		"RETRY the store is away":      errorLine(false, errors.New("the store\nis\r\n  away\n")),
		"FATAL ? is wrong":             errorLine(true, errors.New("\xff is wrong")),
		"RETRY an error without words": errorLine(false, errors.New(" \n")),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	line := errorLine(true, errors.New(strings.Repeat("ä", maxLine)))
	if len(line) > maxText+6 || !utf8.ValidString(line) {
		t.Errorf("an error's line has %d bytes, valid UTF-8: %v", len(line), utf8.ValidString(line))
	}
}

// No bytes make the parser do anything but parse or refuse, and what it takes it
// takes in one spelling only.
func FuzzRequest(f *testing.F) {
	for _, line := range []string{"HELLO 1 -", "PLAN ab 7 cd", "COMMITS", "RUN 0 1 2 3", "RUN 0 1 2"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parseRequest(line)
		if err != nil {
			if !errors.Is(err, errProtocol) {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		if again := spell(r); again != line {
			t.Errorf("%q is taken for %q", line, again)
		}
	})
}

// spell writes a request as Spark does.
func spell(r request) string {
	switch r := r.(type) {
	case hello:
		return fmt.Sprintf("HELLO %d %s", r.version, r.fingerprint)
	case Standing:
		if r.Store == "" {
			return "PLAN - 0 -"
		}
		return fmt.Sprintf("PLAN %s %d %s", r.Store, r.Epoch, r.Topic)
	case commitsRequest:
		return "COMMITS"
	case Range:
		return fmt.Sprintf("RUN %d %d %d %d", r.Epoch, r.Partition, r.From, r.Until)
	}
	return fmt.Sprintf("%T", r)
}

func TestRangesSpelled(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		r := Range{rng.Uint32(), rng.Int32(), rng.Int64(), rng.Int64()}
		if got, err := parseRequest(spell(r)); err != nil || got != r {
			t.Fatalf("%+v became %+v, %v", r, got, err)
		}
	}
}
