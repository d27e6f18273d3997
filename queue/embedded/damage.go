package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"speedlayer/internal/sealed"
)

// Damage is a range of offsets of which the log has no records any more, since a
// file of it was damaged.
type Damage struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"` // first lost offset
	To        int64  `json:"to"`   // offset after the last
	// Kept is the damaged file, as it was found; "" if a file was missing.
	Kept string `json:"kept,omitempty"`
	// Settled: the owner knows, and has done what follows from it.
	Settled bool `json:"settled"`
}

func (d *Damage) String() string {
	text := fmt.Sprintf("offsets %d to %d of topic %s, partition %d, are lost", d.From, d.To-1, d.Topic, d.Partition)
	if d.Kept != "" {
		text += "; the damaged file is kept as " + d.Kept
	}
	return text
}

// damageFile is in the broker's directory: what is known of the damage that the
// segments themselves tell of (appendFillers).
const damageFile = "damage.json"

type damageRecord struct {
	Version int      `json:"version"` // 1
	Damage  []Damage `json:"damage"`
}

// readDamage reads the record. One that is damaged itself costs no more than names
// of files: all that it has is found again, and has to be settled again.
func readDamage(dir string) (known []Damage, err error) {
	path := filepath.Join(dir, damageFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r damageRecord
	return r.Damage, sealed.Unmarshal(path, b, &r)
}

func writeDamage(dir string, all []Damage) error {
	b, err := sealed.Marshal(damageRecord{Version: 1, Damage: all})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, damageFile), b)
}

// merge is the damage that repairs found, with what was known of it.
func merge(known []Damage, repairs []repair) (all []Damage) {
	for i := range repairs {
		r := &repairs[i]
		for _, l := range r.lostOf() {
			d := Damage{Topic: r.topic, Partition: r.partition, From: l.from, To: l.to, Kept: r.kept[l.from]}
			at := slices.IndexFunc(known, func(k Damage) bool {
				return k.Topic == d.Topic && k.Partition == d.Partition && k.From == d.From && k.To == d.To
			})
			if at >= 0 {
				d = known[at]
			}
			all = append(all, d)
		}
	}
	return all
}

// repairLog makes the log one that the broker starts with, logs what it lost, and
// remembers it.
func (b *Broker) repairLog() error {
	repairs, err := repairAll(filepath.Join(b.cfg.Dir, "log"))
	if err != nil {
		return err
	}
	for i := range repairs {
		for _, n := range repairs[i].notes {
			b.cfg.Logger.Error("broker: "+n.message, n.args...)
		}
	}
	known, err := readDamage(b.cfg.Dir)
	if err != nil && !errors.Is(err, sealed.ErrDamaged) {
		return err
	}
	if err != nil {
		b.cfg.Logger.Error("broker: a control file is damaged: it is made again", "err", err)
	}
	all := merge(known, repairs)
	for i := range all {
		if !slices.Contains(known, all[i]) {
			b.cfg.Logger.Error("broker: " + all[i].String())
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.damage = all
	if slices.Equal(all, known) && err == nil {
		return nil
	}
	return writeDamage(b.cfg.Dir, all)
}

// Damage is all that the log has lost and still has a place for.
func (b *Broker) Damage() []Damage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mu.damage)
}

// Settle remembers that the owner has done what follows from the damage.
func (b *Broker) Settle() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	settled := slices.Clone(b.mu.damage)
	for i := range settled {
		settled[i].Settled = true
	}
	if slices.Equal(settled, b.mu.damage) {
		return nil
	}
	if err := writeDamage(b.cfg.Dir, settled); err != nil {
		return err
	}
	b.mu.damage = settled
	return nil
}
