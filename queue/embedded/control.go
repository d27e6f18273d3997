package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"speedlayer/internal/sealed"
)

// The broker writes what it knows besides records into control files, as JSON without
// a checksum. One flipped byte in them could give the topic another id, which begins a
// new log epoch, or hide records below a higher start of the log. So there is a copy
// with a checksum, control.json in the broker's directory, and before a start each
// file is compared with it:
//
//   - topics.json is what its copy is. The copy follows each change of topics before
//     the change is acknowledged, so what it does not have was never acknowledged.
//   - A partition's snapshot.json, and session_state.json, are written by a graceful
//     stop alone, and copied then; from the next start on there is no copy, since after
//     a kill the segments tell what they held (restart.go).
//   - meta.json always holds the same.
//   - groups.log and pids.log have a checksum for each entry: damaged ones are left
//     out, where the broker would leave out all that follow, too.
//   - What is left of the others is set aside if the broker cannot read it, and it begins
//     without: configurations and quotas of clients, and what it knew of sequences.
//
// A file that is corrected is kept as it was, under another name.

// controlFile is in the broker's directory.
const controlFile = "control.json"

// Names in the broker's data directory.
const (
	topicsFile = "topics.json"
	metaFile   = "meta.json"
)

// control is the copy.
type control struct {
	Version int             `json:"version"` // 1
	Topics  json.RawMessage `json:"topics"`  // topics.json
	// Stopped is what a graceful stop left, by path in the data directory; nil after
	// the start that followed.
	Stopped map[string]json.RawMessage `json:"stopped,omitempty"`
}

func (b *Broker) dataDir() string { return filepath.Join(b.cfg.Dir, "log") }

// checkControl compares the control files with their copies, and restores them.
func (b *Broker) checkControl() error {
	dir := b.dataDir()
	if _, err := os.Stat(filepath.Join(dir, partitionsDir)); errors.Is(err, fs.ErrNotExist) {
		return nil // a fresh broker
	}
	path := filepath.Join(b.cfg.Dir, controlFile)
	var c control
	text, err := os.ReadFile(path)
	if err == nil {
		if err = sealed.Unmarshal(path, text, &c); err != nil {
			b.cfg.Logger.Error("broker: a control file is damaged: it is made again", "err", err)
			c, err = control{}, nil
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil // of an earlier version
	}
	r := restorer{dir: dir, b: b}
	return errors.Join(err, r.meta(), r.topics(c.Topics), r.stopped(c.Stopped), r.logs(), r.others())
}

// sealTopics brings the copy of the topics up to date, and leaves out what a graceful
// stop has left.
func (b *Broker) sealTopics() error { return b.seal(nil) }

// sealStopped copies what a graceful stop has left.
func (b *Broker) sealStopped() error {
	left := map[string]json.RawMessage{}
	names, err := filepath.Glob(filepath.Join(b.dataDir(), partitionsDir, "*", brokerSnapshot))
	if err != nil {
		return err
	}
	for _, name := range append(names, filepath.Join(b.dataDir(), brokerSession)) {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(b.dataDir(), name)
		if err != nil {
			return err
		}
		left[rel] = text
	}
	return b.seal(left)
}

func (b *Broker) seal(stopped map[string]json.RawMessage) error {
	b.controlling.Lock()
	defer b.controlling.Unlock()
	topics, err := os.ReadFile(filepath.Join(b.dataDir(), topicsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := sealed.Marshal(control{Version: 1, Topics: topics, Stopped: stopped})
	if err != nil {
		return fmt.Errorf("%s: %w", controlFile, err)
	}
	return replaceFile(filepath.Join(b.cfg.Dir, controlFile), text)
}

// restorer corrects control files.
type restorer struct {
	dir string
	b   *Broker
}

// restore keeps a file as it is under another name, and gives it its right content;
// nil removes it.
func (r *restorer) restore(path, why string, content []byte) error {
	args := []any{"file", path, "why", why}
	if _, err := os.Stat(path); err == nil {
		kept, err := setAside(path)
		if err != nil {
			return err
		}
		args = append(args, "kept", kept)
	}
	if content == nil {
		r.b.cfg.Logger.Error("broker: a control file is damaged: the broker begins without it", args...)
		return os.Remove(path)
	}
	r.b.cfg.Logger.Error("broker: a control file is damaged: it is restored", args...)
	return replaceFile(path, content)
}

// meta restores meta.json. Without it the broker would begin afresh, over the log.
func (r *restorer) meta() error {
	right := fmt.Appendf(nil, `{"version":%d,"cluster_id":"speedlayer"}`, brokerFormat)
	path := filepath.Join(r.dir, metaFile)
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if same(have, right) {
		return nil
	}
	return r.restore(path, differs(have), right)
}

// topics restores topics.json.
func (r *restorer) topics(right []byte) error {
	path := filepath.Join(r.dir, topicsFile)
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case right == nil && json.Valid(have):
		return nil // there is no copy to compare it with
	case right == nil:
		return fmt.Errorf("%s %s, and there is no copy of it in %s: restore one of the two from a backup; without a backup, move %s away: "+
			"what was counted stays counted, and a new log epoch begins with an empty log", path, differs(have), controlFile, r.b.cfg.Dir)
	case sameTopics(have, right):
		return nil
	}
	return r.restore(path, differs(have), right)
}

// stopped restores what a graceful stop left.
func (r *restorer) stopped(files map[string]json.RawMessage) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(r.dir, name)
		have, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) && name == brokerSession {
			continue // the start that followed has taken it
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) || same(have, files[name]) {
			continue
		}
		if err := r.restore(path, differs(have), files[name]); err != nil {
			return err
		}
	}
	return nil
}

// others sets aside what is not JSON. What is in files of these names costs little.
func (r *restorer) others() error {
	files, err := filepath.Glob(filepath.Join(r.dir, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !json.Valid(text) {
			if err := r.restore(path, differs(text), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// unreadable reports which of the other files made a start fail, although it is JSON,
// and why. The path is "" if the start failed for another reason.
func (b *Broker) unreadable(err error) (path, why string) {
	if err == nil {
		return "", ""
	}
	names := []string{"broker_configs.json", "quotas.json", "seq_windows.json"}
	if b.cfg.Trusted { // else this start has just written them, and must not go on without them
		names = append(names, "acls.json", "sasl.json")
	}
	for _, name := range names {
		path := filepath.Join(b.dataDir(), name)
		if _, gone := os.Stat(path); gone == nil && strings.Contains(err.Error(), "parsing "+name+":") {
			return path, err.Error()
		}
	}
	return "", ""
}

// logs leaves out the damaged entries of logs whose entries have checksums.
func (r *restorer) logs() error {
	for _, name := range []string{"groups.log", "pids.log"} {
		path := filepath.Join(r.dir, name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		good, lost := goodEntries(text)
		switch {
		case len(good) == len(text):
		case !lost: // it was being written when the process died
			err = replaceFile(path, good)
		default:
			err = r.restore(path, "the checksums of entries are wrong: they are left out", good)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Sizes in an entry: length u32, of what follows the checksum | CRC-32C u32 | version
// u16 | JSON; little-endian.
const (
	entryHead  = 8
	entryLeast = entryHead + 2
)

// goodEntries returns the whole entries of a log, and whether others than a torn last
// one were left out.
func goodEntries(text []byte) (good []byte, lost bool) {
	good = make([]byte, 0, len(text))
	for at := 0; at < len(text); {
		if n := entryAt(text[at:]); n > 0 {
			good = append(good, text[at:at+n]...)
			at += n
			continue
		}
		next := at + 1
		for next < len(text) && entryAt(text[next:]) == 0 {
			next++
		}
		torn := next == len(text) && len(text)-at >= 4 && int64(binary.LittleEndian.Uint32(text[at:]))+entryHead > int64(len(text)-at)
		lost = lost || !torn && len(text)-at >= 4
		at = next
	}
	return good, lost
}

// entryAt is the length of the whole entry that begins at b; 0 if none does.
func entryAt(b []byte) int {
	if len(b) < entryLeast {
		return 0
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n < 2 || n > int64(len(b)-entryHead) || checksum(b[entryHead:entryHead+n]) != binary.LittleEndian.Uint32(b[4:]) {
		return 0
	}
	return entryHead + int(n)
}

// differs tells how a file that is not what it must be looks.
func differs(have []byte) string {
	switch {
	case have == nil:
		return "is missing"
	case len(have) == 0:
		return "is empty"
	case !json.Valid(have):
		return "is not JSON"
	}
	return "is not what was written"
}

// same compares two JSON documents.
func same(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// sameTopics compares two lists of topics, which the broker writes in any order.
func sameTopics(a, b []byte) bool {
	type topics struct {
		Version json.Number      `json:"version"`
		Topics  []map[string]any `json:"topics"`
	}
	var lists [2]topics
	for i, text := range [][]byte{a, b} {
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		if d.Decode(&lists[i]) != nil {
			return false
		}
		slices.SortFunc(lists[i].Topics, func(a, b map[string]any) int {
			return strings.Compare(fmt.Sprint(a["name"]), fmt.Sprint(b["name"]))
		})
	}
	return reflect.DeepEqual(lists[0], lists[1])
}
