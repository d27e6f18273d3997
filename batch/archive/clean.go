package archive

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"speedlayer/queue"
)

// keepManifests is how many of the newest manifests are kept, with all files that any
// of them names.
const keepManifests = 16

// sweep removes what previous archivers left: manifests that are not kept, and data
// files that no kept manifest names or ever can name. An archiver of a lower term
// cannot write a manifest any more. A file of a higher term belongs to an archiver
// that took over since, so we leave it.
func (a *Archiver) sweep(ctx context.Context) error {
	if err := a.forget(ctx); err != nil {
		return err
	}
	named := a.m.names()
	var unreferenced []string
	for _, topic := range [...]string{queue.TopicPageviews, queue.TopicEquivs} {
		err := a.cfg.Objects.List(ctx, topic+"/", func(name string, _ int64) error {
			term, ok := termOf(name)
			if ok && term < a.m.Term && !named[name] {
				unreferenced = append(unreferenced, name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range unreferenced {
		a.cfg.Logger.Info("a file of the archive that is in no manifest is removed", "file", name)
		if err := a.cfg.Objects.Delete(ctx, name); err != nil {
			return fmt.Errorf("removing %s: %w", name, err)
		}
	}
	return nil
}

var dataNameEnd = regexp.MustCompile(`\.(\d+)-\d+\.parquet$`)

// termOf returns the term in the name of a data file; see dataName.
func termOf(name string) (uint64, bool) {
	m := dataNameEnd.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	term, err := strconv.ParseUint(m[1], 10, 64)
	return term, err == nil
}

// names returns the files that the manifest, or any kept one, names.
func (m *Manifest) names() map[string]bool {
	names := map[string]bool{}
	for _, logs := range [...][]Log{m.Shards, m.Equivs} {
		for i := range logs {
			for _, f := range logs[i].Files {
				names[f.Name] = true
			}
		}
	}
	for _, r := range m.Retired {
		names[r.Name] = true
	}
	return names
}

// forget removes manifests that are not kept any more, then the files that only
// they name.
func (a *Archiver) forget(ctx context.Context) error {
	if a.m.Number <= keepManifests {
		return nil
	}
	oldest := a.m.Number - keepManifests + 1 // the oldest kept manifest
	var old []string
	err := a.cfg.Objects.List(ctx, manifestPrefix, func(name string, _ int64) error {
		if n, ok := manifestNumber(name); ok && n < oldest {
			old = append(old, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range a.m.Retired {
		if r.Number <= oldest {
			old = append(old, r.Name)
		}
	}
	for _, name := range old {
		if err := a.cfg.Objects.Delete(ctx, name); err != nil {
			return fmt.Errorf("removing %s: %w", name, err)
		}
	}
	return nil
}

// dropForgotten removes files from Retired that forget has deleted: those that were
// due at the previous manifest.
func (m *Manifest) dropForgotten(before *Manifest) {
	if before.Number < keepManifests {
		return
	}
	oldest := before.Number - keepManifests + 1
	m.Retired = slices.DeleteFunc(m.Retired, func(r Retired) bool { return r.Number <= oldest })
}
